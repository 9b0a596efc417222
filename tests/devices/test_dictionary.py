from __future__ import annotations

import re
from pathlib import Path

import pytest

from devices import dictionary
from devices.dictionary import InvalidDictionary

SSH = """\
executor: ssh
ssh:
  host: 192.168.1.20
  port: 2222
  user: root
  identity_file: /etc/lava-lite/board
  known_hosts: "192.168.1.20 ssh-ed25519 AAAA"
  host_key: strict
  connection_timeout: 10
  directory: /tmp
  options: {Compression: "yes", ProxyJump: "jump@gate:22"}
"""
DOCKER = """\
executor: docker
docker:
  image: debian:12
  pull: never
  options: {network: none, memory: 512m, cpus: 2, device: [/dev/ttyUSB0], volume: ["/srv:/srv:ro"]}
"""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "executor: shell",
        "device_type: qemu",
        SSH,
        DOCKER,
        DOCKER.replace("docker:", "podman:").replace("docker", "podman"),
        "executor: ssh\\nssh: {host: '::1'}".replace("\\n", "\n"),
    ],
)
def test_a_dictionary_may_name_an_executor(text: str) -> None:
    dictionary.check(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("executor: telnet", "executor: expected one of shell, ssh, docker, podman, got 'telnet'"),
        ("executor: [ssh]", "executor: expected one of"),
        ("executor: ssh", "ssh: expected a mapping with host, port"),
        ("executor: ssh\nssh: {port: 22}", "ssh.host: missing"),
        ("executor: ssh\nssh: {host: -oProxyCommand=id}", "ssh.host: expected a name or an address"),
        ("executor: ssh\nssh: {host: a, user: -x}", "ssh.user: expected the name of a user"),
        ("executor: ssh\nssh: {host: a, port: 0}", "ssh.port: expected a number from 1 to 65535, got 0"),
        ("executor: ssh\nssh: {host: a, host_key: no}", "ssh.host_key: expected one of strict"),
        ("executor: ssh\nssh: {host: a, hots: b}", "ssh: unknown key 'hots'; expected one of host"),
        ("executor: ssh\nssh: {host: a, directory: '/tmp/$(id)'}", "ssh.directory: expected a path"),
        ("executor: ssh\nssh: {host: a, identity_file: key}", "ssh.identity_file: expected a path"),
        ("executor: ssh\nssh: {host: a, options: {ProxyCommand: id}}", "not 'ProxyCommand'"),
        ("executor: ssh\nssh: {host: a, options: {Ciphers: 1}}", "ssh.options: expected Ciphers with a word"),
        ("executor: docker\npodman: {image: a}", "docker: expected a mapping with image"),
        ("executor: docker\ndocker: {}", "docker.image: missing"),
        ("executor: docker\ndocker: {image: --privileged}", "docker.image: expected the name of an image"),
        ("executor: docker\ndocker: {image: a, options: {privileged: true}}", "not 'privileged'"),
        ("executor: docker\ndocker: {image: a, options: {volume: /srv}}", "expected volume with a list"),
        ("executor: docker\ndocker: {image: a, options: {memory: [1]}}", "expected memory with a text"),
        ("executor: podman\npodman: {image: a, pull: maybe}", "podman.pull: expected one of missing"),
    ],
)
def test_a_dictionary_whose_executor_is_wrong_is_refused_with_the_place(text: str, says: str) -> None:
    with pytest.raises(InvalidDictionary) as refused:
        dictionary.check(text)

    assert says in str(refused.value)


def test_every_dictionary_that_the_docs_show_is_accepted() -> None:
    page = Path(__file__).parents[2] / "docs" / "devices.md"

    shown = re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL)

    assert len(shown) == 3
    for text in shown:
        dictionary.check(text)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("access: ssh root@qemu01", ("ssh root@qemu01",)),
        ("access: [ssh root@qemu01, picocom /dev/ttyUSB0]", ("ssh root@qemu01", "picocom /dev/ttyUSB0")),
        (
            "access: |\n  ssh root@qemu01\n  the reset button is on the left\n",
            ("ssh root@qemu01", "the reset button is on the left"),
        ),
        ("executor: shell", ()),
        ("", ()),
        ("{% extends 'qemu.jinja2' %}", ()),
    ],
)
def test_a_dictionary_tells_people_how_to_reach_the_device(text: str, lines: tuple[str, ...]) -> None:
    assert dictionary.access_of(text) == lines


@pytest.mark.parametrize("access", ["22", "[]", "{ssh: root}", "[ssh root@qemu01, 22]", "' '"])
def test_the_way_to_a_device_is_text(access: str) -> None:
    with pytest.raises(InvalidDictionary, match="access: expected a text or a list of texts, got"):
        dictionary.check(f"access: {access}")


def test_a_worker_is_not_told_what_is_for_people() -> None:
    assert dictionary.for_worker("access: ssh root@qemu01\nexecutor: shell\n") == "executor: shell\n"


def test_a_dictionary_that_says_nothing_to_people_goes_to_the_worker_as_it_is() -> None:
    assert dictionary.for_worker("executor:   shell # here\n") == "executor:   shell # here\n"
