"""What LAVA's dispatcher reads of a configuration: all faults at once, by their paths."""

from __future__ import annotations

import pytest

from core import yaml
from devices import dispatcher

GOOD = """\
available_architectures: [amd64]
commands: {power_on: [pdu on, sleep 1], hard_reset: pdu reset, connections: {uart0: {connect: telnet x, tags: [primary]}}}
constants: {failure_retry: 1, boot_retry: null, kernel-start-message: '', default-shell-prompt: '# ', spawn_maxread: '4092',
  posix: {lava_test_results_dir: /lava-%s}}
parameters: {pass: null}
timeouts: {actions: {http-download: {minutes: 5}}, connections: {lava-test-shell: {seconds: 10}}}
actions:
  deploy: {methods: {image: null}, connections: {serial: null}}
  boot: {methods: {qemu: null}, connections: {serial: null}}
"""


def faults_of(text: str) -> list[str]:
    return list(map(str, dispatcher.faults(yaml.parse(text))))


def warnings_of(text: str) -> list[str]:
    return list(map(str, dispatcher.warnings(yaml.parse(text))))


def test_a_whole_configuration_has_neither_faults_nor_warnings() -> None:
    assert faults_of(GOOD) == warnings_of(GOOD) == []


def test_all_faults_are_told_at_once_with_their_paths_and_without_their_values() -> None:
    text = """\
actions:
  boot: {methods: [qemu]}
commands: {power_on: 7, connections: {uart0: {connect: telnet x, tags: secret}}}
timeouts: {actions: {http-download: 5, 'No': {minutes: soon}}}
usb_vendor_id: 1234
"""

    assert faults_of(text) == [
        "actions.boot.methods: expected a mapping, got a list (line 2)",
        "commands.power_on: expected a command, or a list of commands, got a number (line 3)",
        "commands.connections.uart0.tags: expected a list, got text (line 3)",
        "timeouts.actions.http-download: expected one of days, hours, minutes and seconds, such as {minutes: 5}, "
        "got a number (line 4)",
        "timeouts.actions.No.minutes: expected a whole number, got text (line 4)",
        "timeouts.actions.No: expected the name of an action: small letters and - (line 4)",
        "usb_vendor_id: expected four hexadecimal digits in quotes, got a number (line 5)",
    ]


@pytest.mark.parametrize("text", ["- a", "text", "7"])
def test_what_is_no_mapping_is_a_fault(text: str) -> None:
    assert faults_of(text)[0].startswith("expected a mapping, got ")


def test_what_is_unknown_or_missing_is_a_warning() -> None:
    text = GOOD.replace("parameters", "parametres").replace("boot_retry: null, ", "")

    assert faults_of(text) == []
    assert warnings_of(text) == [
        "constants.boot_retry: is missing: the dispatcher ends every job without it (line 3)",
        'parametres: the dispatcher does not know it; did you mean "parameters"? (line 5)',
    ]
    bare = "\n".join(warnings_of("actions: {}"))
    assert "timeouts: is missing: each action gets 30 seconds, unless the job says otherwise" in bare
