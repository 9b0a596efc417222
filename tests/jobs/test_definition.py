import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import yaml
from devices import dictionary
from jobs import definition as definitions
from jobs.builtin import protocol_of
from jobs.definition import Defer, Definition, Fault, InvalidDefinition, Visibility

HELLO = """\
job_name: hello
device_type: local
visibility: public
timeouts:
  job: {minutes: 5}
actions:
- test:
    definitions:
    - from: inline
      name: hello
      path: inline/hello.yaml
      repository:
        metadata: {format: Lava-Test Test Definition 1.0, name: hello}
        run:
          steps:
          - lava-test-case hello --shell echo hello
"""

# Submitted to a LAVA 2023.01, which gave its worker the text below it.
SUBMITTED = """\
job_name: peer qemu boot, monitors and interactive
device_type: qemu
visibility: public
priority: medium
context:
  arch: amd64
timeouts:
  job: {minutes: 10}
  action: {minutes: 5}
  connection: {minutes: 2}
metadata:
  source: peer-lava bench
actions:
- deploy:
    timeout: {minutes: 2}
    to: tmpfs
    images:
      kernel:
        image_arg: -kernel {kernel} --append "console=ttyS0,115200 rdinit=/init panic=1 tsc=unstable"
        url: file:///srv/lava-assets/vmlinuz
- boot:
    method: qemu
    media: tmpfs
    timeout: {minutes: 4}
    prompts: ["root@peerguest:"]
- test:
    timeout: {minutes: 2}
    interactive:
    - name: basic
      prompts: ["root@peerguest:~# ", "root@peerguest:"]
      script:
      - {name: uname, command: uname -a, successes: [{message: "Linux peerguest"}]}
"""
GIVEN = """\
actions:
- deploy:
    images:
      kernel:
        image_arg: -kernel {kernel} --append "console=ttyS0,115200 rdinit=/init panic=1
          tsc=unstable"
        url: file:///srv/lava-assets/vmlinuz
    timeout:
      minutes: 2
    to: tmpfs
- boot:
    media: tmpfs
    method: qemu
    prompts:
    - 'root@peerguest:'
    timeout:
      minutes: 4
- test:
    interactive:
    - name: basic
      prompts:
      - 'root@peerguest:~# '
      - 'root@peerguest:'
      script:
      - command: uname -a
        name: uname
        successes:
        - message: Linux peerguest
    timeout:
      minutes: 2
compatibility: 0
context:
  arch: amd64
device_type: qemu
job_name: peer qemu boot, monitors and interactive
metadata:
  source: peer-lava bench
priority: medium
timeouts:
  action:
    minutes: 5
  connection:
    minutes: 2
  job:
    minutes: 10
visibility: public
"""


def job(**changes: Any) -> str:
    """The hello job with other values for some keys; None takes a key out."""
    data = yaml.load(HELLO) | changes
    return yaml.dump({key: value for key, value in data.items() if value is not None})


def job_with(action: Any) -> str:
    return job(actions=[action])


def faults_of(text: str) -> list[str]:
    with pytest.raises(InvalidDefinition) as caught:
        definitions.parse(text)
    return [str(fault) for fault in caught.value.faults]


def only_fault(text: str) -> Fault:
    with pytest.raises(InvalidDefinition) as caught:
        definitions.parse(text)
    (fault,) = caught.value.faults
    return fault


def briefly(value: object) -> str:
    return ascii(value)[:50]


def test_a_small_job_becomes_a_definition() -> None:
    definition = definitions.parse(HELLO)

    assert definition == Definition(
        text=HELLO,
        data=yaml.load(HELLO),
        name="hello",
        device_type="local",
        visibility=Visibility(kind="public"),
        priority=50,
        tags=(),
        job_timeout=timedelta(minutes=5),
        queue_timeout=None,
        wall_time=None,
        retry={},
        defer=Defer(),
        device=None,
        is_reservation=False,
        metadata={},
        lava_lite={},
        roles=(),
        is_member=False,
    )


def test_every_key_of_lava_is_accepted() -> None:
    definition = definitions.parse(
        job(
            visibility={"group": ["kernel", "ci", "kernel"]},
            priority=75,
            tags=["usb", "hdmi", "usb"],
            timeouts={
                "job": {"hours": 2},
                "action": {"minutes": 5, "skip": True},
                "connection": {"seconds": 20},
                "queue": {"days": 2},
                "actions": {"auto-login-action": {"minutes": 1}},
                "connections": {"lava-test-shell": {"seconds": 10}},
            },
            context={"arch": "arm64", "extra": ["-a", 1], "no_kvm": True, "size": 4.5},
            metadata={"build": "1", 7: {"any": ["thing"]}},
            environment={"A_1": "x", "B": 2},
            secrets={"API-KEY": "x"},
            protocols={"lava-lxc": {"name": "x"}},
            notify={"criteria": {"status": "finished"}, "callback": {"url": "http://x"}},
            reboot_to_fastboot=False,
            lava_lite={"anything": 1, "wall_time": {"minutes": 90}},
        )
    )

    assert definition.visibility == Visibility(kind="group", groups=("kernel", "ci"))
    assert definition.priority == 75
    assert definition.wall_time == timedelta(minutes=90)
    assert definition.tags == ("usb", "hdmi")
    assert definition.job_timeout == timedelta(hours=2)
    assert definition.queue_timeout == timedelta(days=2)
    assert definition.metadata[7] == {"any": ["thing"]}
    assert definition.lava_lite["anything"] == 1


def test_a_job_says_how_it_is_tried_again() -> None:
    wanted = {"attempts": 3, "delay": {"minutes": 2}, "backoff": 1.5, "errors": ["Job"]}

    definition = definitions.parse(job(lava_lite={"retry": wanted}))

    assert definition.retry == {"attempts": 3, "delay": 120.0, "backoff": 1.5, "errors": ["Job"]}


def test_a_plain_number_says_how_often_a_job_is_tried() -> None:
    assert definitions.parse(job(lava_lite={"retry": 3})).retry == {"attempts": 3}


@pytest.mark.parametrize("text", ["2030-01-01 11:00:00", "2030-01-01T12:00:00+01:00", "2030-01-01T11:00:00Z"])
def test_a_job_says_from_when_on_it_may_be_run(text: str) -> None:
    definition = definitions.parse(job(lava_lite={"defer": {"until": text, "limit": {"days": 2}}}))

    until = datetime(2030, 1, 1, 11, tzinfo=UTC)
    assert definition.defer == Defer(until=until, limit=timedelta(days=2))


def test_all_faults_of_retry_and_defer_are_told_at_once() -> None:
    with pytest.raises(InvalidDefinition) as refused:
        definitions.parse(job(lava_lite={"retry": {"backoff": 0}, "defer": {"delay": 3}}))

    assert {fault.path for fault in refused.value.faults} == {
        "lava_lite.retry.backoff",
        "lava_lite.retry.attempts",
        "lava_lite.defer.delay",
    }


@pytest.mark.parametrize(("word", "number"), [("high", 100), ("medium", 50), ("low", 0), (0, 0), (100, 100)])
def test_a_priority_is_a_word_or_a_number(word: str | int, number: int) -> None:
    assert definitions.parse(job(priority=word)).priority == number


def test_the_bodies_of_actions_are_open() -> None:
    actions = [
        {"deploy": {"to": "tmpfs", "images": {}, "namespace": "dut"}},
        {"boot": {"method": "u-boot", "anything": [1]}},
        {"command": {"name": "relay", "timeout": {"seconds": 5}}},
        {"test": {"monitors": [{"name": "x"}], "timeouts": {"lava-test-monitor": {"minutes": 1}}}},
        {"test": {"interactive": [], "role": ["a"]}},
        {
            "test": {
                "docker": {"image": "x"},
                "definitions": [
                    {
                        "from": "git",
                        "name": "a.b_c-1",
                        "path": "x.yaml",
                        "repository": "https://x",
                        "branch": "b",
                    },
                    {
                        "from": "url",
                        "name": "d",
                        "path": "x",
                        "repository": "https://x",
                        "parameters": {"A": 1},
                    },
                ],
            }
        },
    ]

    assert definitions.parse(job(actions=actions)).data["actions"] == actions


def test_a_worker_gets_what_lava_gives_it() -> None:
    assert definitions.parse(SUBMITTED).for_worker() == GIVEN


def test_a_worker_never_sees_what_is_for_this_lab_alone() -> None:
    given_to_worker = yaml.load(definitions.parse(job(lava_lite={"retry": 2})).for_worker())

    assert given_to_worker == yaml.load(HELLO) | {"compatibility": 0}


def test_every_fault_is_told_at_once_in_the_order_of_the_lines() -> None:
    text = """\
job_nam: hello
device_type: 3
visibility: {groups: [a]}
timeouts:
  job: {minute: 5}
  queue: {days: 1, hours: 0}
priority: hihg
tags: local
actions:
- deploy:
  timeout: {minutes: 3}
- test:
    definitions:
    - from: inlin
      name: a b
      path: x
      repository: {}
- boot
- tset: {}
"""

    assert faults_of(text) == [
        'job_nam: unknown key; did you mean "job_name"? (line 1)',
        "job_name: is required, for example `job_name: my first job` (line 1)",
        "device_type: expected text (put it in quotes), got 3 (line 2)",
        "visibility: expected public, personal or {group: [names]}, got a mapping (line 3)",
        'timeouts.job.minute: unknown key; did you mean "minutes"? (line 5)',
        "timeouts.queue: expected exactly one of days, hours, minutes and seconds, got days and hours (line 6)",
        "timeouts.queue.hours: expected a whole number above 0, got 0 (line 6)",
        'priority: expected high, medium, low or a whole number from 0 to 100, got "hihg" (line 7)',
        'tags: expected a list of names, got "local" (line 8)',
        "actions[0]: expected exactly one key (deploy, boot, test or command), got 2; check the indentation (line 10)",
        'actions[1].test.definitions[0].from: expected git, url or inline, got "inlin" (line 14)',
        'actions[1].test.definitions[0].name: expected only letters, digits and - _ ., got "a b" (line 15)',
        "actions[1].test.definitions[0].repository: expected text, got an empty mapping (line 17)",
        'actions[2]: expected a mapping with the key deploy, boot, test or command, got "boot" (line 18)',
        'actions[3].tset: unknown key; did you mean "test"? (line 19)',
    ]


@pytest.mark.parametrize("key", ["job_name", "device_type", "visibility", "timeouts", "actions"])
def test_a_missing_key_is_told_with_an_example(key: str) -> None:
    fault = only_fault(job(**{key: None}))

    assert fault.path == key
    assert fault.message.startswith(f"is required, for example `{key}: ")


@pytest.mark.parametrize(
    ("changes", "path", "says"),
    [
        ({"job_name": ""}, "job_name", "expected text"),
        ({"job_name": "x" * 201}, "job_name", "at most 200 characters, got 201"),
        ({"job_name": 2023}, "job_name", "put it in quotes"),
        ({"device_type": ["a"]}, "device_type", "expected text, got a list"),
        ({"visibility": "private"}, "visibility", 'got "private"'),
        ({"visibility": ["public"]}, "visibility", "got a list"),
        ({"visibility": {"group": []}}, "visibility.group", "at least one group"),
        ({"visibility": {"group": [3]}}, "visibility.group[0]", "put it in quotes"),
        ({"visibility": {"group": "a"}}, "visibility.group", "list of names"),
        ({"visibility": {"group": ["a"], "user": "b"}}, "visibility", "expected public"),
        ({"priority": 101}, "priority", "got 101"),
        ({"priority": -1}, "priority", "got -1"),
        ({"priority": True}, "priority", "got true"),
        ({"priority": [1]}, "priority", "got a list"),
        ({"tags": [1]}, "tags[0]", "put it in quotes"),
        ({"tags": ["a"] * 33}, "tags", "at most 32 names, got 33"),
        ({"metadata": ["a"]}, "metadata", "expected a mapping"),
        ({"metadata": {True: 1}}, "metadata[true]", "text or a whole number"),
        ({"metadata": {1.5: 1}}, "metadata[1.5]", "text or a whole number"),
        ({"context": {"a": "x\ny"}}, "context.a", "without line breaks"),
        ({"context": {"a": ["x\u2028y"]}}, "context.a[0]", "without line breaks"),
        ({"context": {"a": {"b": 1}}}, "context.a", "got a mapping"),
        ({"context": {"a b": [[1]]}}, 'context["a b"][0]', "got a list"),
        ({"context": {1: 1}}, "context[1]", "expected text"),
        ({"environment": {"a-b": 1}}, "environment.a-b", "name of a variable"),
        ({"environment": {"a=b": 1}}, 'environment["a=b"]', "name of a variable"),
        ({"environment": {"a": [1]}}, "environment.a", "got a list"),
        ({"secrets": {1: 1}}, "secrets[1]", "text as the key"),
        ({"secrets": "x"}, "secrets", "expected a mapping"),
        ({"protocols": "lava-lxc"}, "protocols", "expected a mapping"),
        ({"notify": []}, "notify", "expected a mapping"),
        ({"reboot_to_fastboot": "no"}, "reboot_to_fastboot", "true or false"),
        ({"lava_lite": 3}, "lava_lite", "expected a mapping"),
        (
            {"lava_lite": {"wall_time": "1 h"}},
            "lava_lite.wall_time",
            "expected days, hours, minutes or seconds",
        ),
        ({"lava_lite": {"retry": 0}}, "lava_lite.retry", "a number of attempts from 1 to 100"),
        ({"lava_lite": {"retry": "often"}}, "lava_lite.retry", "a number of attempts from 1 to 100"),
        ({"lava_lite": {"retry": {}}}, "lava_lite.retry.attempts", "is required"),
        ({"lava_lite": {"retry": {"attempts": True}}}, "lava_lite.retry.attempts", "number of attempts"),
        ({"lava_lite": {"retry": {"attempts": 2, "dely": 1}}}, "lava_lite.retry.dely", 'mean "delay"?'),
        ({"lava_lite": {"retry": {"attempts": 2, "delay": 5}}}, "lava_lite.retry.delay", "days, hours"),
        ({"lava_lite": {"retry": {"attempts": 2, "backoff": 0.5}}}, "lava_lite.retry.backoff", "from 1 to"),
        ({"lava_lite": {"retry": {"attempts": 2, "errors": []}}}, "lava_lite.retry.errors", "at least one"),
        (
            {"lava_lite": {"retry": {"attempts": 2, "errors": ["Job", "Luck"]}}},
            "lava_lite.retry.errors[1]",
            "expected one of Bug, Configuration, Infrastructure, Job",
        ),
        ({"lava_lite": {"defer": 600}}, "lava_lite.defer", "until, delay, limit or reason"),
        ({"lava_lite": {"defer": {"until": "noon"}}}, "lava_lite.defer.until", "expected a time"),
        ({"lava_lite": {"defer": {"until": 12}}}, "lava_lite.defer.until", "expected a time"),
        (
            {"lava_lite": {"defer": {"until": "2030-01-01", "delay": {"hours": 1}}}},
            "lava_lite.defer",
            "until or delay, got both",
        ),
        ({"lava_lite": {"defer": {"reason": "x" * 201}}}, "lava_lite.defer.reason", "at most 200"),
        ({"lava_lite": {"device": ["qemu01"]}}, "lava_lite.device", "expected text"),
        ({"lava-lite": {}}, "lava-lite", 'did you mean "lava_lite"?'),
        ({"zzzz": 1}, "zzzz", "expected one of job_name, device_type"),
        ({"timeouts": {}}, "timeouts.job", "is required"),
        ({"timeouts": [1]}, "timeouts", "expected a mapping"),
        ({"timeouts": {"job": {"minutes": 1}, "boot": {}}}, "timeouts.boot", "unknown key"),
        ({"timeouts": {"job": "soon"}}, "timeouts.job", "days, hours, minutes or seconds"),
        ({"timeouts": {"job": {}}}, "timeouts.job", "exactly one of"),
        ({"timeouts": {"job": {"minutes": 1.5}}}, "timeouts.job.minutes", "whole number above 0"),
        ({"timeouts": {"job": {"minutes": True}}}, "timeouts.job.minutes", "whole number above 0"),
        ({"timeouts": {"job": {"days": 2**63}}}, "timeouts.job.days", "at most 36,500"),
        ({"timeouts": {"job": {"minutes": 1, "skip": 1}}}, "timeouts.job.skip", "true or false"),
        (
            {"timeouts": {"job": {"minutes": 1}, "actions": {"x": 3}}},
            "timeouts.actions.x",
            "days, hours, minutes or seconds",
        ),
        ({"actions": []}, "actions", "at least one action"),
        ({"actions": {"test": {}}}, "actions", "a list of at least one action"),
    ],
    ids=briefly,
)
def test_a_wrong_value_is_told_with_its_place_and_what_would_be_right(
    changes: dict[str, Any], path: str, says: str
) -> None:
    fault = only_fault(job(**changes))

    assert fault.path == path
    assert says in fault.message
    assert fault.line is not None


@pytest.mark.parametrize(
    ("action", "path", "says"),
    [
        ({}, "actions[0]", "exactly one key"),
        ({"boot": None}, "actions[0].boot", "got nothing"),
        ({"boot": {"timeout": {"weeks": 1}}}, "actions[0].boot.timeout.weeks", "unknown key"),
        (
            {"boot": {"timeout": {"minutes": 6}}},
            "actions[0].boot.timeout",
            "6 minutes is longer than the whole job may take (5 minutes)",
        ),
        ({"boot": {"timeouts": {"x": {"minutes": 0}}}}, "actions[0].boot.timeouts.x.minutes", "above 0"),
        ({"test": {}}, "actions[0].test", "definitions, interactive or monitors"),
        ({"test": {"definitions": []}}, "actions[0].test.definitions", "at least one test definition"),
        ({"test": {"definitions": ["x"]}}, "actions[0].test.definitions[0]", "expected a mapping"),
        ({"other": {}}, "actions[0].other", "expected one of deploy, boot, test, command"),
    ],
    ids=briefly,
)
def test_a_wrong_action_is_told_with_its_place(action: Any, path: str, says: str) -> None:
    fault = only_fault(job_with(action))

    assert fault.path == path
    assert says in fault.message


@pytest.mark.parametrize(
    ("changes", "path", "says"),
    [
        ({"from": None}, "from", "is required"),
        ({"name": None}, "name", "is required"),
        ({"path": None}, "path", "is required"),
        ({"repository": None}, "repository", "is required"),
        ({"name": "a\n"}, "name", "only letters, digits"),
        ({"path": 3}, "path", "put it in quotes"),
        ({"parameters": [1]}, "parameters", "expected a mapping"),
        ({"repository": "https://x"}, "repository", "a mapping with metadata and run"),
        ({"repository": {"run": {}}}, "repository.run.steps", "a list of commands"),
        ({"repository": {"run": {"steps": "ls"}}}, "repository.run.steps", "a list of commands"),
        (
            {"repository": {"run": {"steps": [{"echo a": "b"}]}}},
            "repository.run.steps[0]",
            'has ": " in it in quotes',
        ),
        ({"repository": {"run": {"steps": ["a", True]}}}, "repository.run.steps[1]", "put it in quotes"),
        (
            {"repository": {"install": {"steps": [3]}, "run": {"steps": []}}},
            "repository.install.steps[0]",
            "put it in quotes",
        ),
        ({"repository": {"install": [], "run": {"steps": []}}}, "repository.install", "expected a mapping"),
        ({"from": "git"}, "repository", "expected text, got a mapping"),
    ],
    ids=briefly,
)
def test_a_wrong_test_definition_is_told_with_its_place(
    changes: dict[str, Any], path: str, says: str
) -> None:
    inline = yaml.load(HELLO)["actions"][0]["test"]["definitions"][0] | changes
    inline = {key: value for key, value in inline.items() if value is not None}

    fault = only_fault(job_with({"test": {"definitions": [inline]}}))

    assert fault.path == f"actions[0].test.definitions[0].{path}"
    assert says in fault.message


def test_a_key_that_yaml_takes_for_a_truth_value_is_told_as_such() -> None:
    assert only_fault(HELLO + "on: 1\n").path == "[true]"


def test_a_fault_says_the_line_of_what_is_wrong() -> None:
    fault = only_fault(HELLO.replace("{minutes: 5}", "soon"))

    assert str(fault) == (
        "timeouts.job: expected days, hours, minutes or seconds, for example {minutes: 5}, "
        'got "soon" (line 5)'
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "",
            "expected a mapping with the keys job_name, device_type, visibility, timeouts, actions, got nothing",
        ),
        ("- a", "got a list (line 1)"),
        ("just text", 'got "just text" (line 1)'),
        ("a: b: c", "not valid YAML"),
        (HELLO + "job_name: again", 'the key "job_name" is there twice, first in line 1, column 1 (line 17)'),
        (HELLO + "\0", "control character U+0000"),
        (HELLO + "# \ud83d", "surrogate U+D83D"),
        ("[" * 100_000, "nested deeper than 50 levels"),
        ("x" * 1_000_001, "larger than 1,000,000 bytes"),
        (
            "a: &a [x,x]\nb: &b [*a,*a]\n" + "\n".join(f"c{i}: [{'*b,' * 100}]" for i in range(1000)),
            "more than 200,000",
        ),
    ],
    ids=briefly,
)
def test_what_is_no_job_at_all_is_told_in_one_fault(text: str, says: str) -> None:
    assert says in str(only_fault(text))


def test_the_largest_size_is_the_caller_s_to_set() -> None:
    with pytest.raises(InvalidDefinition, match="larger than 100 bytes"):
        definitions.parse(HELLO, max_bytes=100)


def test_ever_more_faults_are_cut_short() -> None:
    faults = faults_of(job(actions=["x"] * 60))

    assert len(faults) == definitions.MAX_FAULTS + 1
    assert faults[-1] == "and more: mend these first"


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(f"k{i}: 1" for i in range(80_000)),
        job(actions=[{"x": 1}] * 50_000),
        job(tags=["x"] * 90_000),
        job(metadata=dict.fromkeys(range(40_000), "x")),
        "? " + "k" * 900_000 + "\n: 1",
        job(context={"a": ["x\ny"] * 50_000}),
    ],
    ids=briefly,
)
def test_a_hostile_text_costs_little_time(text: str) -> None:
    started = time.process_time()

    try:
        definitions.parse(text)
    except InvalidDefinition as invalid:
        answer = str(invalid)
    else:
        answer = ""

    assert time.process_time() - started < 5
    assert len(answer) < 20_000


def test_the_line_of_a_path_is_known_as_faults_write_it() -> None:
    definition = definitions.parse(HELLO)

    assert definition.line_of("device_type") == 2
    assert definition.line_of("actions[0].test.definitions[0].repository.run.steps[0]") == 16
    assert definition.line_of('actions["x y"]') == 6
    assert definition.line_of("") == 1


def test_a_local_device_runs_inline_definitions() -> None:
    assert definitions.faults_for_executor(definitions.parse(HELLO), "shell") == []


FROM_GIT = {
    "from": "git",
    "repository": "https://example.com/tests.git",
    "path": "smoke.yaml",
    "name": "smoke",
}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"branch": "stable/6.1", "revision": "v1.0-rc1", "history": False, "parameters": {"A": "b"}},
        {"repository": "git@example.com:lab/tests.git"},
        {"repository": "ssh://git@example.com:2222/tests.git"},
        {"repository": "file:///srv/tests.git"},
    ],
    ids=briefly,
)
@pytest.mark.parametrize("executor", dictionary.EXECUTORS)
def test_a_device_of_the_built_in_worker_runs_tests_from_git(changes: dict[str, Any], executor: str) -> None:
    job = definitions.parse(job_with({"test": {"definitions": [FROM_GIT | changes]}}))

    assert definitions.faults_for_executor(job, executor) == []


@pytest.mark.parametrize(
    ("repository", "protocol"),
    [
        ("https://example.com/a.git", "https"),
        ("HTTP://example.com/a.git", "http"),
        ("git@example.com:a.git", "ssh"),
        ("example.com:a/b.git", "ssh"),
        ("ext::sh -c id", "ext"),
        ("/srv/a.git", "file"),
        ("./a:b", "file"),
        ("file:///srv/a.git", "file"),
    ],
)
def test_the_protocol_of_a_repository_is_read_as_git_reads_it(repository: str, protocol: str) -> None:
    assert protocol_of(repository) == protocol


def test_a_local_device_refuses_what_needs_a_board() -> None:
    faults = definitions.faults_for_executor(definitions.parse(SUBMITTED), "shell")

    assert [str(fault) for fault in faults] == [
        "actions[0].deploy: a local device runs commands on this machine; it has nothing to deploy (line 14)",
        "actions[1].boot: a local device runs commands on this machine; it has nothing to boot (line 21)",
        "actions[2].test.interactive: not supported by the built-in worker; use definitions (line 28)",
    ]


@pytest.mark.parametrize("executor", dictionary.EXECUTORS)
def test_no_device_of_the_built_in_worker_deploys_or_boots(executor: str) -> None:
    faults = definitions.faults_for_executor(definitions.parse(SUBMITTED), executor)

    assert [fault.path for fault in faults] == [
        "actions[0].deploy",
        "actions[1].boot",
        "actions[2].test.interactive",
    ]
    assert "it has nothing to deploy" in faults[0].message


@pytest.mark.parametrize(
    ("test", "path", "says"),
    [
        (
            {"definitions": [{"from": "url", "name": "a", "path": "b", "repository": "c"}]},
            "test.definitions[0].from",
            "url is not supported by the built-in worker; use inline or git",
        ),
        (
            {"definitions": [FROM_GIT | {"repository": "ext::sh -c id"}]},
            "test.definitions[0].repository",
            "expected an address that begins with https://",
        ),
        (
            {"definitions": [FROM_GIT | {"repository": "ftp://example.com/tests.git"}]},
            "test.definitions[0].repository",
            "expected an address that begins with https://",
        ),
        (
            {"definitions": [FROM_GIT | {"path": "../../etc/passwd"}]},
            "test.definitions[0].path",
            "expected a path inside the repository",
        ),
        (
            {"definitions": [FROM_GIT | {"path": "/etc/passwd"}]},
            "test.definitions[0].path",
            "expected a path inside the repository",
        ),
        (
            {"definitions": [FROM_GIT | {"branch": "--upload-pack=id"}]},
            "test.definitions[0].branch",
            "expected the name of a branch",
        ),
        (
            {"definitions": [FROM_GIT | {"revision": "a b"}]},
            "test.definitions[0].revision",
            "expected the name of a branch, a tag or a commit",
        ),
        (
            {"definitions": [FROM_GIT | {"skip_install": "steps"}]},
            "test.definitions[0].skip_install",
            "expected a list of keys, sources",
        ),
        (
            {"definitions": [FROM_GIT | {"history": "no"}]},
            "test.definitions[0].history",
            "expected true or false",
        ),
        ({"monitors": []}, "test.monitors", "not supported"),
        (
            {
                "definitions": [
                    {
                        "from": "inline",
                        "name": "a",
                        "path": "b",
                        "repository": {"parse": {"pattern": "x"}, "run": {"steps": []}},
                    }
                ]
            },
            "test.definitions[0].repository.parse",
            "report results with lava-test-case",
        ),
    ],
    ids=briefly,
)
def test_a_local_device_refuses_tests_that_it_would_not_run(test: Any, path: str, says: str) -> None:
    (fault,) = definitions.faults_for_executor(definitions.parse(job_with({"test": test})), "shell")

    assert fault.path == f"actions[0].{path}"
    assert says in fault.message


def test_a_local_device_speaks_no_protocols() -> None:
    (fault,) = definitions.faults_for_executor(definitions.parse(job(protocols={"lava-lxc": {}})), "shell")

    assert str(fault).startswith(
        "protocols: a local device runs commands on this machine; it speaks no protocols: leave out lava-lxc"
    )


def test_the_real_dispatcher_judges_for_itself() -> None:
    assert definitions.faults_for_executor(definitions.parse(SUBMITTED), "lava") == []


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 200)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text("ab.\n", max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "job",
                    "minutes",
                    "skip",
                    "group",
                    "test",
                    "boot",
                    "definitions",
                    "from",
                    "name",
                    "a b",
                    "run",
                ]
            )
            | st.integers(0, 3),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=400)
@given(
    key=st.sampled_from([*sorted(yaml.load(HELLO)), "tags", "context", "environment", "protocols"]),
    value=anything,
)
def test_no_value_anywhere_does_anything_but_pass_or_be_refused(key: str, value: Any) -> None:
    text = yaml.dump(yaml.load(HELLO) | {key: value})

    try:
        definition = definitions.parse(text)
    except InvalidDefinition as invalid:
        assert_placed(invalid)
    else:
        definitions.faults_for_executor(definition, "shell")
        definition.for_worker()


def assert_placed(invalid: InvalidDefinition) -> None:
    assert invalid.faults
    assert all(fault.line is not None and fault.message for fault in invalid.faults)


@settings(max_examples=300)
@given(
    start=st.integers(0, len(HELLO)),
    length=st.integers(0, 40),
    garbage=st.text("ab:-?&*!|>%'\"{}[],#\n\t \0", max_size=8),
)
def test_no_damage_to_a_text_does_anything_but_pass_or_be_refused(
    start: int, length: int, garbage: str
) -> None:
    text = HELLO[:start] + garbage + HELLO[start + length :]

    try:
        definitions.parse(text)
    except InvalidDefinition as invalid:
        assert_placed(invalid)
