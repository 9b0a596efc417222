"""A definition with roles is one group of jobs: what it may say, and what each of its jobs gets of it."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import yaml
from jobs import definition as definitions
from jobs import multinode
from jobs.definition import Definition, Fault, InvalidDefinition
from jobs.multinode import Member
from jobs.roles import Role
from tests.jobs.test_definition import anything, assert_placed, briefly
from tests.workers.builtin.conftest import definition as runnable
from workers.builtin.plan import make_plan
from workers.messages import JobFiles

TARGET_GROUP = UUID("0b5c3f8e-8a0e-4f6c-9f2a-5d0c6f1e7a11")

SERVER_AND_CLIENTS = """\
job_name: a server and two clients
visibility: public
timeouts:
  job: {minutes: 5}
protocols:
  lava-multinode:
    timeout: {minutes: 2}
    roles:
      server:
        device_type: qemu
        count: 1
        tags: [fast]
        context: {arch: arm64}
        environment: {PORT: "80"}
        essential: true
      client:
        device_type: local
        count: 2
        timeout: {minutes: 1}
actions:
- deploy: {to: tmpfs, role: server}
- boot: {method: qemu, role: [server]}
- test:
    role: [client, server]
    interactive: []
- test:
    role: client
    monitors: [here]
- test: {monitors: []}
"""
ROLES = "protocols.lava-multinode.roles"


def whole(**changes: Any) -> str:
    """The definition above with other values for some keys of its top level; None takes a key out."""
    data = yaml.load(SERVER_AND_CLIENTS) | changes
    return yaml.dump({key: value for key, value in data.items() if value is not None})


def with_client(**changes: Any) -> str:
    """The definition above with other values in its second role; None takes a key out."""
    data = yaml.load(SERVER_AND_CLIENTS)
    roles = data["protocols"]["lava-multinode"]["roles"]
    client = roles["client"] | changes
    roles["client"] = {key: value for key, value in client.items() if value is not None}
    return yaml.dump(data)


def with_multinode(value: Any) -> str:
    return whole(protocols={"lava-multinode": value})


def split(text: str) -> list[Member]:
    return multinode.split(definitions.parse(text), TARGET_GROUP)


def by_role(text: str) -> dict[str, Definition]:
    return {member.role: member.definition for member in split(text)}


def faults_of(text: str) -> list[Fault]:
    with pytest.raises(InvalidDefinition) as caught:
        definitions.parse(text)
    return list(caught.value.faults)


# What a whole may say


def test_a_whole_has_roles_and_no_device_type_of_its_own() -> None:
    definition = definitions.parse(SERVER_AND_CLIENTS)

    assert definition.device_type is None
    assert not definition.is_member
    assert definition.roles == (
        Role(name="server", device_type="qemu", count=1, tags=("fast",), is_essential=True),
        Role(name="client", device_type="local", count=2, tags=(), is_essential=False),
    )


@pytest.mark.parametrize(
    ("value", "path", "says"),
    [
        ("yes", "protocols.lava-multinode", "expected a mapping with roles"),
        ({}, ROLES, "is required, for example `roles: {server: {device_type: local, count: 1}}`"),
        ({"roles": {}}, ROLES, "at least one role, got an empty mapping"),
        ({"roles": ["server"]}, ROLES, "expected a mapping with at least one role, got a list"),
    ],
)
def test_roles_are_a_mapping_that_is_not_empty(value: Any, path: str, says: str) -> None:
    found = [fault for fault in faults_of(with_multinode(value)) if fault.path.startswith("protocols")]

    assert [fault.path for fault in found] == [path]
    assert says in found[0].message


@pytest.mark.parametrize(
    ("changes", "path", "says"),
    [
        ({"device_type": None}, "device_type", "is required, for example `device_type: local`"),
        ({"count": None}, "count", "is required, for example `count: 1`"),
        ({"count": 0}, "count", "expected a whole number above 0, got 0"),
        ({"count": True}, "count", "expected a whole number above 0, got true"),
        ({"count": "2"}, "count", 'expected a whole number above 0, got "2"'),
        ({"tags": "fast"}, "tags", "expected a list of names"),
        ({"context": {"arch": {}}}, "context.arch", "expected text, a number"),
        ({"environment": {"a b": "c"}}, 'environment["a b"]', "expected the name of a variable"),
        ({"essential": "yes"}, "essential", "expected true or false"),
        ({"timeout": 5}, "timeout", "expected days, hours, minutes or seconds"),
        ({"devicetype": "x"}, "devicetype", 'unknown key; did you mean "device_type"?'),
        ({"connection": "ssh"}, "connection", "would share another one's device, which is not supported"),
        ({"host_role": "server"}, "host_role", "not supported"),
        ({"expect_role": "server"}, "expect_role", "not supported"),
        ({"request": "lava-start"}, "request", "not supported"),
    ],
)
def test_a_wrong_role_is_told_with_its_place(changes: dict[str, Any], path: str, says: str) -> None:
    (fault,) = faults_of(with_client(**changes))

    assert fault.path == f"{ROLES}.client.{path}"
    assert says in fault.message


def test_an_unknown_key_beside_the_roles_is_told() -> None:
    (fault,) = faults_of(
        with_multinode(yaml.load(SERVER_AND_CLIENTS)["protocols"]["lava-multinode"] | {"role": "server"})
    )

    assert str(fault).startswith('protocols.lava-multinode.role: unknown key; did you mean "roles"?')


def test_the_timeout_of_the_group_is_one() -> None:
    (fault,) = faults_of(SERVER_AND_CLIENTS.replace("timeout: {minutes: 2}", "timeout: {minute: 2}", 1))

    assert (fault.path, fault.line) == ("protocols.lava-multinode.timeout.minute", 7)


def test_a_group_has_a_limited_number_of_jobs() -> None:
    assert len(split(with_client(count=31))) == 32

    (fault,) = faults_of(with_client(count=32))

    assert fault.path == ROLES
    assert fault.message == "expected at most 32 jobs in all, got 33: lower the counts"


@pytest.mark.parametrize(
    ("role", "path", "says"),
    [
        ("servr", "actions[0].deploy.role", 'there is no role "servr"; did you mean "server"?'),
        (["server", "x"], "actions[0].deploy.role[1]", 'no role "x"; expected one of client, server'),
        ([], "actions[0].deploy.role", "expected a role or a list of roles, got an empty list"),
        ({"a": 1}, "actions[0].deploy.role", "expected a role or a list of roles, got a mapping"),
        ([["server"]], "actions[0].deploy.role[0]", "expected the name of a role, got a list"),
    ],
)
def test_the_role_of_an_action_is_one_of_the_roles(role: Any, path: str, says: str) -> None:
    actions = yaml.load(SERVER_AND_CLIENTS)["actions"]
    actions[0]["deploy"]["role"] = role

    (fault,) = faults_of(whole(actions=actions))

    assert fault.path == path
    assert says in fault.message


def test_a_role_without_an_action_is_told() -> None:
    (fault,) = faults_of(whole(actions=[{"test": {"monitors": [], "role": "server"}}]))

    assert fault.path == f"{ROLES}.client"
    assert fault.message == "has no actions: name it as the role of some"


@pytest.mark.parametrize("key", ["device_type", "tags"])
def test_what_chooses_devices_belongs_to_the_roles(key: str) -> None:
    value = "local" if key == "device_type" else ["fast"]

    (fault,) = faults_of(whole(**{key: value}))

    assert (fault.path, fault.message) == (key, "belongs to each of the roles, not here")


@pytest.mark.parametrize(("key", "value"), [("retry", 2), ("device", "qemu01"), ("reservation", False)])
def test_what_is_for_one_device_is_refused_in_a_group(key: str, value: Any) -> None:
    (fault,) = faults_of(whole(lava_lite={key: value, "wall_time": {"minutes": 1}}))

    assert fault.path == f"lava_lite.{key}"


def test_all_faults_of_a_group_are_told_at_once_with_their_lines() -> None:
    text = SERVER_AND_CLIENTS.replace("count: 2", "count: two").replace("role: [server]", "role: [sever]")
    text += "device_type: qemu\n"

    assert [str(fault) for fault in faults_of(text)] == [
        f'{ROLES}.client.count: expected a whole number above 0, got "two" (line 18)',
        'actions[1].boot.role[0]: there is no role "sever"; did you mean "server"? (line 22)',
        "device_type: belongs to each of the roles, not here (line 30)",
    ]


def test_a_plain_job_may_name_any_role_and_has_none() -> None:
    data = yaml.load(SERVER_AND_CLIENTS) | {"device_type": "qemu"}
    del data["protocols"]

    definition = definitions.parse(yaml.dump(data))

    assert definition.roles == ()
    assert not definition.is_member


def test_a_small_text_does_not_make_a_giant_group() -> None:
    metadata = f"metadata: {{a: &a {'x' * 900_000}, b: *a}}\n"

    (fault,) = faults_of(with_client(count=10) + metadata)

    assert fault.path == ROLES
    assert "expected at most 4,000,000: 11 jobs like this are about 19," in fault.message


# What a member may say


def member_text(**changes: Any) -> str:
    """The definition of the server with other values in what it says of its group; None takes a key out."""
    data = yaml.load(split(SERVER_AND_CLIENTS)[0].definition.text)
    group = data["protocols"]["lava-multinode"] | changes
    data["protocols"]["lava-multinode"] = {key: value for key, value in group.items() if value is not None}
    return yaml.dump(data)


@pytest.mark.parametrize(
    ("changes", "path", "says"),
    [
        ({"group_size": 0}, "group_size", "expected a whole number above 0"),
        ({"group_size": None}, "group_size", "is required"),
        ({"target_group": 7}, "target_group", "expected text"),
        ({"essential": 1}, "essential", "expected true or false"),
        ({"rolls": {}}, "rolls", 'unknown key; did you mean "role"?'),
    ],
    ids=briefly,
)
def test_a_wrong_place_in_a_group_is_told(changes: dict[str, Any], path: str, says: str) -> None:
    (fault,) = faults_of(member_text(**changes))

    assert fault.path == f"protocols.lava-multinode.{path}"
    assert says in fault.message


def test_a_member_has_no_actions_of_other_roles() -> None:
    assert {fault.path for fault in faults_of(member_text(role="client"))} == {
        "actions[0].deploy.role",
        "actions[1].boot.role",
        "actions[2].test.role",
    }


def test_a_member_needs_a_device_type() -> None:
    data = yaml.load(member_text())
    del data["device_type"]

    assert [fault.path for fault in faults_of(yaml.dump(data))] == ["device_type"]


# What each job gets


def test_a_group_is_split_role_by_role() -> None:
    members = split(SERVER_AND_CLIENTS)

    assert [member.role for member in members] == ["server", "client", "client"]
    assert [member.is_essential for member in members] == [True, False, False]
    assert [member.definition.device_type for member in members] == ["qemu", "local", "local"]
    assert [member.definition.tags for member in members] == [("fast",), (), ()]


def test_a_member_has_the_actions_that_are_for_its_role() -> None:
    server, client, _ = split(SERVER_AND_CLIENTS)

    assert server.definition.data["actions"] == [
        {"deploy": {"to": "tmpfs", "role": "server"}},
        {"boot": {"method": "qemu", "role": "server"}},
        {"test": {"interactive": [], "role": "server"}},
        {"test": {"monitors": []}},
    ]
    assert client.definition.data["actions"] == [
        {"test": {"interactive": [], "role": "client"}},
        {"test": {"monitors": ["here"], "role": "client"}},
        {"test": {"monitors": []}},
    ]


def test_a_member_says_its_place_in_the_group() -> None:
    server, client, _ = split(SERVER_AND_CLIENTS)

    assert server.definition.data["protocols"]["lava-multinode"] == {
        "role": "server",
        "target_group": str(TARGET_GROUP),
        "group_size": 3,
        "essential": True,
        "timeout": {"minutes": 2},
    }
    assert client.definition.data["protocols"]["lava-multinode"] == {
        "role": "client",
        "target_group": str(TARGET_GROUP),
        "group_size": 3,
        "timeout": {"minutes": 1},
    }


def test_the_text_of_a_member_is_its_definition() -> None:
    for member in split(SERVER_AND_CLIENTS):
        parsed = definitions.parse(member.definition.text)

        assert parsed == member.definition
        assert parsed.is_member
        assert parsed.roles == ()


def test_a_role_s_values_win_over_those_for_all() -> None:
    text = whole(
        context={"arch": "amd64", "cpu": "max"}, environment={"PORT": "1", "HOST": "here"}, secrets={"a": "b"}
    )

    jobs = by_role(text)

    assert jobs["server"].data["context"] == {"arch": "arm64", "cpu": "max"}
    assert jobs["server"].data["environment"] == {"PORT": "80", "HOST": "here"}
    assert jobs["client"].data["context"] == {"arch": "amd64", "cpu": "max"}
    assert jobs["client"].data["secrets"] == {"a": "b"}


def test_what_a_group_asks_of_this_lab_holds_for_all() -> None:
    text = whole(lava_lite={"wall_time": {"minutes": 1}, "defer": {"delay": {"hours": 1}}})

    for member in split(text):
        assert member.definition.wall_time == definitions.parse(text).wall_time
        assert member.definition.defer == definitions.parse(text).defer


def test_a_protocol_that_is_said_by_role_is_split_too() -> None:
    protocols = yaml.load(SERVER_AND_CLIENTS)["protocols"]
    lxc = {"name": "box", "distribution": "debian"}

    jobs = by_role(whole(protocols=protocols | {"lava-lxc": {"server": lxc}, "lava-xnbd": {"port": "auto"}}))

    assert jobs["server"].data["protocols"]["lava-lxc"] == lxc
    assert "lava-lxc" not in jobs["client"].data["protocols"]
    assert jobs["client"].data["protocols"]["lava-xnbd"] == {"port": "auto"}


def test_splitting_changes_nothing_in_the_whole() -> None:
    definition = definitions.parse(SERVER_AND_CLIENTS)

    multinode.split(definition, TARGET_GROUP)

    assert definition == definitions.parse(SERVER_AND_CLIENTS)


GIVEN = """\
actions:
- test:
    monitors:
    - here
    role: client
compatibility: 0
device_type: local
job_name: a server and two clients
protocols:
  lava-multinode:
    group_size: 3
    role: client
    roles:
      '12': server
      '13': client
      '14': client
    sub_id: 1
    target_group: 0b5c3f8e-8a0e-4f6c-9f2a-5d0c6f1e7a11
    timeout:
      minutes: 1
timeouts:
  job:
    minutes: 5
visibility: public
"""


def test_a_worker_gets_what_lava_s_dispatcher_reads() -> None:
    actions = yaml.load(SERVER_AND_CLIENTS)["actions"]
    client = by_role(whole(actions=[actions[0], actions[3]], lava_lite={"wall_time": {"minutes": 1}}))[
        "client"
    ]

    assert client.for_worker(sub_id=1, roles={"12": "server", "13": "client", "14": "client"}) == GIVEN


def test_a_plain_job_has_no_place_in_a_group() -> None:
    data = yaml.load(SERVER_AND_CLIENTS) | {"device_type": "qemu"}
    del data["protocols"]
    plain = definitions.parse(yaml.dump(data))

    assert plain.for_worker(sub_id=0, roles={"12": "server"}) == plain.for_worker()


# The built-in worker

RUNNABLE = yaml.load(runnable("true"))["actions"][0]["test"]


def of_two(*actions: dict[str, Any]) -> str:
    roles = {name: {"device_type": "local", "count": 2} for name in ("a", "b")}
    return whole(protocols={"lava-multinode": {"roles": roles}}, actions=list(actions))


def test_a_device_of_the_built_in_worker_runs_a_member() -> None:
    text = of_two(
        {"test": RUNNABLE | {"role": ["a"]}}, {"test": RUNNABLE}, {"test": RUNNABLE | {"role": ["b", "a"]}}
    )

    for member in split(text):
        assert definitions.faults_for_executor(member.definition, "shell") == []
        files = JobFiles(
            definition=member.definition.for_worker(roles={"7": "a"}), device="{executor: shell}", env_dut=""
        )
        assert len(make_plan(7, files).actions) == (3 if member.role == "a" else 2)


def test_a_device_of_the_built_in_worker_sends_no_messages() -> None:
    message = {"lava-multinode": [{"action": "lava-test-shell", "request": "lava-sync", "messageID": "go"}]}
    member, *_ = split(of_two({"test": RUNNABLE | {"protocols": message}}))

    (fault,) = definitions.faults_for_executor(member.definition, "shell")

    assert fault.path == "actions[0].test.protocols"
    assert "sends no messages between jobs" in fault.message


def test_faults_of_members_are_told_of_the_whole() -> None:
    definition = definitions.parse(SERVER_AND_CLIENTS)
    members = multinode.split(definition, TARGET_GROUP)

    faults = multinode.faults_of(
        definition, members, lambda member: definitions.faults_for_executor(member.definition, "shell")
    )

    assert [(fault.path, fault.line) for fault in faults] == [
        ("actions[0].deploy", 21),
        ("actions[1].boot", 22),
        ("actions[2].test.interactive", 25),
        ("actions[3].test.monitors", 28),
        ("actions[4].test.monitors", 29),
    ]


@pytest.mark.parametrize(
    ("role", "path", "place", "line"),
    [
        ("server", "device_type", f"{ROLES}.server.device_type", 10),
        ("server", "tags", f"{ROLES}.server.tags", 12),
        ("client", "tags", f"{ROLES}.client.tags", 16),
        ("server", "context.arch", f"{ROLES}.server.context.arch", 13),
        ("client", "context.arch", "context.arch", 30),
        ("client", "actions[1].test.monitors[0]", "actions[3].test.monitors[0]", 28),
        ("client", "visibility.group[0]", "visibility.group[0]", 2),
    ],
)
def test_a_fault_of_a_member_stands_where_it_was_written(role: str, path: str, place: str, line: int) -> None:
    definition = definitions.parse(SERVER_AND_CLIENTS + "context: {arch: amd64}\n")
    members = [member for member in multinode.split(definition, TARGET_GROUP) if member.role == role]

    (fault,) = multinode.faults_of(definition, members, lambda _: [Fault(path=path, message="no", line=1)])

    assert fault == Fault(path=place, message="no", line=line)


def test_a_group_without_faults_has_none() -> None:
    definition = definitions.parse(SERVER_AND_CLIENTS)

    assert multinode.faults_of(definition, multinode.split(definition, TARGET_GROUP), lambda _: []) == []


# Whatever the text


names = st.text(st.characters(codec="utf-8", exclude_categories=("C",)), min_size=1, max_size=8).filter(
    str.strip
)


@st.composite
def groups(draw: st.DrawFn) -> dict[str, Any]:
    roles = draw(
        st.dictionaries(
            names,
            st.fixed_dictionaries(
                {"device_type": names, "count": st.integers(1, 6)},
                optional={
                    "tags": st.lists(names, max_size=2),
                    "context": st.dictionaries(names, st.booleans() | st.integers(0, 9), max_size=2),
                    "essential": st.booleans(),
                    "timeout": st.just({"minutes": 1}),
                },
            ),
            min_size=1,
            max_size=5,
        )
    )
    some = st.sampled_from(sorted(roles))
    role = st.just({}) | st.fixed_dictionaries({"role": some | st.lists(some, min_size=1, max_size=4)})
    bodies = draw(st.lists(role, max_size=5))
    actions = [{"test": {"monitors": [index], **body}} for index, body in enumerate([*bodies, {}])]
    return yaml.load(SERVER_AND_CLIENTS) | {
        "protocols": {"lava-multinode": {"roles": roles}},
        "actions": actions,
    }


@settings(max_examples=200)
@given(groups())
def test_every_action_reaches_the_roles_that_it_names_and_no_other(data: dict[str, Any]) -> None:
    roles = data["protocols"]["lava-multinode"]["roles"]

    members = split(yaml.dump(data))

    assert len(members) == sum(role["count"] for role in roles.values())
    for member in members:
        assert definitions.parse(member.definition.text) == member.definition
        assert member.definition.is_member
        assert member.definition.data["protocols"]["lava-multinode"]["group_size"] == len(members)
        assert member.definition.device_type == roles[member.role]["device_type"]
        assert [action["test"]["monitors"] for action in member.definition.data["actions"]] == [
            action["test"]["monitors"]
            for action in data["actions"]
            if "role" not in action["test"]
            or member.role == action["test"]["role"]
            or (isinstance(action["test"]["role"], list) and member.role in action["test"]["role"])
        ]


def accepted_and_split(text: str) -> None:
    """Fails with whatever is neither a definition with its members nor refused with faults that have a place."""
    try:
        definition = definitions.parse(text)
    except InvalidDefinition as invalid:
        assert_placed(invalid)
    else:
        for member in multinode.split(definition, TARGET_GROUP):
            assert definitions.parse(member.definition.text) == member.definition


@settings(max_examples=300)
@given(
    place=st.sampled_from(["multinode", "roles", "role", "action", "top"]),
    key=st.sampled_from(
        ["roles", "role", "server", "count", "context", "tags", "timeout", "target_group", "lava_lite"]
    ),
    value=anything,
)
def test_no_value_in_a_group_does_anything_but_pass_or_be_refused(place: str, key: str, value: Any) -> None:
    data = yaml.load(SERVER_AND_CLIENTS)
    group = data["protocols"]["lava-multinode"]
    places = {
        "multinode": group,
        "roles": group["roles"],
        "role": group["roles"]["server"],
        "action": data["actions"][2]["test"],
        "top": data,
    }
    places[place][key] = value

    accepted_and_split(yaml.dump(data))


@settings(max_examples=200)
@given(
    start=st.integers(0, len(SERVER_AND_CLIENTS)),
    length=st.integers(0, 40),
    garbage=st.text("ab:-?&*!|>%'\"{}[],#\n\t \0", max_size=8),
)
def test_no_damage_to_a_group_does_anything_but_pass_or_be_refused(
    start: int, length: int, garbage: str
) -> None:
    accepted_and_split(SERVER_AND_CLIENTS[:start] + garbage + SERVER_AND_CLIENTS[start + length :])


@pytest.mark.parametrize(
    "text",
    [
        with_multinode({"roles": {f"role{i}": {"device_type": "a", "count": 1} for i in range(20_000)}}),
        whole(actions=[{"test": {"monitors": [], "role": f"servr{i}"}} for i in range(10_000)]),
        whole(actions=[{"test": {"monitors": [], "role": ["server"] * 90_000}}]),
        with_client(count=10**18),
        of_two({"test": {"monitors": ["x"] * 60_000}}),
        with_client(**{f"k{i}": 1 for i in range(50_000)}),
    ],
    ids=briefly,
)
def test_a_hostile_group_costs_little_time(text: str) -> None:
    started = time.process_time()

    with suppress(InvalidDefinition):
        split(text)

    assert time.process_time() - started < 5
