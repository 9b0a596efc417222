"""XML-RPC as LAVA's clients speak it: methods, rights and faults."""

from __future__ import annotations

import base64
from typing import Any
from xmlrpc.client import Fault, dumps, loads

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError
from django.http import HttpResponse
from django.test import Client
from pytest_django import Settings

from accounts.models import Scope, Token
from devices.states import DeviceHealth, DeviceState, WorkerHealth
from jobs.models import Job
from jobs.states import Health, State
from tests import build
from tests.devices.test_templates import BOARD, HERE

pytestmark = pytest.mark.django_db


class Program:
    """Calls as `xmlrpc.client` does, with the token of a user or none."""

    def __init__(self, user: User | None = None) -> None:
        self.headers = {}
        if user is not None:
            self.headers["Authorization"] = basic(user.username, Token.objects.issue(user))

    def __call__(self, name: str, *arguments: Any) -> Any:
        return loads(self.post(dumps(arguments, name, allow_none=True)).content)[0][0]

    def post(self, body: str | bytes, path: str = "/RPC2") -> HttpResponse:
        response = Client().post(path, body, content_type="text/xml", headers=self.headers)
        assert response.status_code == 200
        assert response["Content-Type"] == "application/xml; charset=utf-8"
        return response


def basic(name: str, secret: str) -> str:
    return f"Basic {base64.b64encode(f'{name}:{secret}'.encode()).decode()}"


def fault_of(call: Any, *arguments: Any) -> Fault:
    with pytest.raises(Fault) as raised:
        call(*arguments)
    return raised.value


@pytest.mark.parametrize("name", ["scheduler.jobs.cancel", "scheduler.cancel_job"])
@pytest.mark.parametrize("as_text", [False, True])
def test_a_running_job_is_asked_to_stop(alice: User, name: str, as_text: bool) -> None:
    job = build.job(submitter=alice, state=State.RUNNING)

    answer = Program(alice)(name, str(job.pk) if as_text else job.pk)

    job.refresh_from_db()
    assert answer is True
    assert job.state == State.CANCELING
    assert build.events_of(job)[-1] == "job.cancel_requested"


@pytest.mark.parametrize("number", ["{0}.1", "{1}"])
def test_a_job_is_canceled_by_its_number_in_the_group(alice: User, number: str) -> None:
    first, second = build.members("server", "client", submitter=alice)

    assert Program(alice)("scheduler.jobs.cancel", number.format(first.pk, second.pk)) is True

    second.refresh_from_db()
    assert second.health == Health.CANCELED


@pytest.mark.parametrize("name", ["scheduler.jobs.resubmit", "scheduler.resubmit_job"])
def test_a_job_is_run_again(alice: User, name: str) -> None:
    job = build.job(submitter=alice, state=State.FINISHED)

    number = Program(alice)(name, job.pk)

    assert Job.objects.get(pk=number).resubmitted_from == job


def test_a_job_of_a_group_is_run_again_with_its_group(alice: User) -> None:
    build.members("server", "client", submitter=alice)

    numbers = Program(alice)("scheduler.jobs.resubmit", Job.objects.latest("pk").pk)

    first = int(numbers[0].partition(".")[0])
    assert numbers == [f"{first}.0", f"{first}.1"]


# As lavacli calls it for `devices maintenance` and `devices update`, with the servers that it knows: 7, 8 or 9 arguments.
@pytest.mark.parametrize("more", [(), (None,), (None, "the cable is loose")])
def test_a_device_is_taken_out(admin: User, more: tuple[str | None, ...]) -> None:
    device = build.device("qemu01")

    answer = Program(admin)(
        "scheduler.devices.update", "qemu01", None, None, None, None, "MAINTENANCE", None, *more
    )

    device.refresh_from_db()
    assert answer is None
    assert device.health == DeviceHealth.MAINTENANCE
    assert (device.health_by, device.health_reason) == ("admin", (more or (None,))[-1] or "")


def test_a_device_is_given_another_worker_and_description(admin: User) -> None:
    device = build.device("qemu01")
    build.worker("worker02")

    Program(admin)("scheduler.devices.update", "qemu01", "worker02", None, None, None, None, "the left one")

    device.refresh_from_db()
    assert (device.worker_id, device.description) == ("worker02", "the left one")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("nobody",), 404, "There is no device 'nobody'."),
        (("qemu01", "gone"), 400, 'worker_host: Invalid pk "gone"'),
        (("qemu01", None, "alice"), 400, "devices have no owners here"),
        (("qemu01", None, None, None, None, "FINE"), 400, "health: expected one of Good"),
        (("qemu01", None, None, None, None, None, None, "gone"), 400, 'device_type: Invalid pk "gone"'),
    ],
)
def test_a_wrong_change_of_a_device_changes_nothing(
    admin: User, arguments: tuple[str | None, ...], code: int, says: str
) -> None:
    device = build.device("qemu01")

    fault = fault_of(Program(admin), "scheduler.devices.update", *arguments)

    device.refresh_from_db()
    assert fault.faultCode == code
    assert says in fault.faultString
    assert (device.worker_id, device.health) == ("worker01", DeviceHealth.GOOD)


def test_who_does_not_look_after_a_device_cannot_take_it_out(mallory: User) -> None:
    device = build.device("qemu01")

    fault = fault_of(
        Program(mallory), "scheduler.devices.update", "qemu01", None, None, None, None, "MAINTENANCE", None
    )

    device.refresh_from_db()
    assert fault.faultCode == 403
    assert device.health == DeviceHealth.GOOD


# As lavacli calls it for `devices dict get` and `devices dict set`.
def test_a_dictionary_is_set_shown_rendered_and_deleted(admin: User, settings: Settings) -> None:
    settings.DEVICE_TEMPLATES = [str(HERE)]
    build.device()
    call = Program(admin)

    assert call("scheduler.devices.set_dictionary", "qemu01", BOARD) is True
    plain = call("scheduler.devices.get_dictionary", "qemu01", False, None)
    rendered = call("scheduler.devices.get_dictionary", "qemu01", True, "memory: 2048")
    assert call("scheduler.devices.set_dictionary", "qemu01", "") is True

    assert plain.data == BOARD.encode()
    assert b"- -m 2048\n" in rendered.data
    assert fault_of(call, "scheduler.devices.get_dictionary", "qemu01").faultCode == 404


def test_a_wrong_dictionary_is_told_and_not_set(admin: User) -> None:
    build.device()

    fault = fault_of(Program(admin), "scheduler.devices.set_dictionary", "qemu01", "commands: {power_on: 7}")

    assert fault.faultCode == 400
    assert "dictionary: commands.power_on: expected a command" in fault.faultString


def test_a_stranger_neither_reads_nor_sets_a_dictionary(mallory: User) -> None:
    build.device(dictionary="executor: shell")
    call = Program(mallory)

    assert fault_of(call, "scheduler.devices.get_dictionary", "qemu01", False, None).faultCode == 403
    assert fault_of(call, "scheduler.devices.set_dictionary", "qemu01", "").faultCode == 403


def test_a_definition_is_validated_and_with_strict_its_probable_mistakes_are_told(alice: User) -> None:
    build.device()
    call, name = Program(alice), "scheduler.jobs.validate"
    odd = build.definition(actions=[{"boot": {"method": "qemoo"}}])

    assert call(name, build.definition(), True) == {}
    assert call(name, odd) == {}
    assert call(name, odd, True)["path"] == "actions[0].boot.method"
    assert call(name, "job_name: x", False)["path"] == "device_type"
    assert call("scheduler.validate_yaml", odd) is None
    assert "visibility: is required" in fault_of(call, "scheduler.validate_yaml", "job_name: x").faultString


# As lavacli calls it for `workers config`, `env` and `env-dut`, and for `tokens`.
@pytest.mark.parametrize(
    ("word", "good"), [("config", "dispatcher_ip: 10.0.0.1"), ("env", "purge: true"), ("env_dut", "")]
)
def test_a_file_of_a_worker_is_set_shown_and_deleted(admin: User, word: str, good: str) -> None:
    build.worker()
    call, get, put = Program(admin), f"scheduler.workers.get_{word}", f"scheduler.workers.set_{word}"

    assert call(put, "worker01", good) is True
    shown = call(get, "worker01").data if good else b""
    fault = fault_of(call, put, "worker01", "- a list")
    assert call(put, "worker01", "") is True

    assert shown == good.encode()
    assert (fault.faultCode, fault.faultString) == (400, f"{word}: expected a mapping, got a list (line 1)")
    assert fault_of(call, get, "worker01").faultCode == 404


def test_who_does_not_look_after_workers_reads_and_sets_none_of_their_files(mallory: User) -> None:
    build.worker(env="overrides: {PASSWORD: hush}")
    call = Program(mallory)

    assert fault_of(call, "scheduler.workers.get_env", "worker01").faultCode == 403
    assert fault_of(call, "scheduler.workers.set_env", "worker01", "").faultCode == 403


def test_a_user_s_remote_tokens_are_their_own(alice: User, mallory: User) -> None:
    hers, theirs = Program(alice), Program(mallory)
    tokens = "scheduler.remote_artifact_tokens"

    assert hers(f"{tokens}.add", "store", "one") is None
    assert hers(f"{tokens}.add", "store", "two") is None

    assert hers(f"{tokens}.list") == [{"name": "store", "token": "two"}]
    assert hers(f"{tokens}.show", "store") == "two"
    assert theirs(f"{tokens}.list") == []
    assert fault_of(theirs, f"{tokens}.show", "store").faultCode == 404
    assert fault_of(theirs, f"{tokens}.delete", "store").faultCode == 404
    assert fault_of(hers, f"{tokens}.add", "a\nb", "x").faultCode == 400
    assert hers(f"{tokens}.delete", "store") is None
    assert hers(f"{tokens}.list") == []


def test_a_worker_is_taken_out_and_given_a_limit(admin: User) -> None:
    worker = build.worker()

    Program(admin)("scheduler.workers.update", "worker01", "in the rack", "MAINTENANCE", 2)

    worker.refresh_from_db()
    assert worker.health == WorkerHealth.MAINTENANCE
    assert (worker.description, worker.job_limit) == ("in the rack", 2)


def test_who_does_not_look_after_workers_cannot_take_one_out(mallory: User) -> None:
    build.worker()

    assert (
        fault_of(Program(mallory), "scheduler.workers.update", "worker01", None, "MAINTENANCE").faultCode
        == 403
    )


def test_a_waiting_job_is_taken_out_of_the_queue(alice: User) -> None:
    job = build.job(submitter=alice)

    assert Program(alice)("scheduler.jobs.cancel", job.pk) is True

    job.refresh_from_db()
    assert (job.state, job.health) == (State.FINISHED, Health.CANCELED)


def test_canceling_a_finished_job_changes_nothing(alice: User) -> None:
    job = build.job(submitter=alice, state=State.FINISHED)

    assert Program(alice)("scheduler.jobs.cancel", job.pk) is True

    job.refresh_from_db()
    assert job.health != Health.CANCELED
    assert job.device is not None
    assert job.device.state == DeviceState.IDLE


def test_a_stranger_cancels_nothing(alice: User, mallory: User) -> None:
    job = build.job(submitter=alice, state=State.RUNNING)

    assert fault_of(Program(mallory), "scheduler.jobs.cancel", job.pk).faultCode == 403
    assert fault_of(Program(), "scheduler.jobs.cancel", job.pk).faultCode == 401

    job.refresh_from_db()
    assert job.state == State.RUNNING


def test_a_hidden_job_is_as_unknown_as_one_that_is_not_there(alice: User, mallory: User) -> None:
    job = build.job(submitter=alice, visibility="personal")

    hidden = fault_of(Program(mallory), "scheduler.jobs.cancel", job.pk)

    assert hidden.faultCode == 404
    for unknown in (10**6, "abc", -1, str(10**18), str(10**30), "12.1", None, [1]):
        assert fault_of(Program(mallory), "scheduler.jobs.cancel", unknown).faultCode == 404


@pytest.mark.parametrize("name", ["scheduler.jobs.submit", "scheduler.submit_job"])
def test_a_definition_is_submitted(alice: User, name: str) -> None:
    build.device()

    number = Program(alice)(name, build.definition())

    assert Job.objects.get(pk=number).submitter == alice


@pytest.mark.parametrize("name", ["scheduler.jobs.submit", "scheduler.submit_job"])
def test_a_submitted_group_is_a_list_of_numbers_in_lavas_form(alice: User, name: str) -> None:
    build.device("qemu01")
    build.device("qemu02")

    numbers = Program(alice)(name, build.multinode("server", "client"))

    first = Job.objects.earliest("pk")
    assert numbers == [f"{first.pk}.0", f"{first.pk}.1"]


def test_the_faults_of_a_definition_are_told_and_nothing_is_submitted(alice: User) -> None:
    build.device()

    fault = fault_of(Program(alice), "scheduler.jobs.submit", "job_name: only a name")

    assert fault.faultCode == 400
    assert "device_type" in fault.faultString
    assert fault_of(Program(alice), "scheduler.jobs.submit", 12).faultCode == 400
    assert fault_of(Program(), "scheduler.jobs.submit", build.definition()).faultCode == 401
    assert not Job.objects.exists()


def test_the_system_says_who_asks_and_what_there_is(alice: User) -> None:
    assert Program(alice)("system.whoami") == "alice"
    assert Program()("system.whoami") is None
    assert Program()("system.version") == "2023.01"
    assert Program()("system.api_version") == 2
    assert "scheduler.jobs.cancel" in Program()("system.listMethods")
    assert "queue" in Program()("system.methodHelp", "scheduler.jobs.cancel")
    assert Program()("system.methodHelp", "no.such") == ""
    assert Program()("system.methodSignature", "system.version") == "undef"


@pytest.mark.parametrize("path", ["/RPC2", "/RPC2/"])
def test_the_address_is_good_with_and_without_a_slash(path: str) -> None:
    response = Program().post(dumps((), "system.version"), path)

    assert loads(response.content)[0] == ("2023.01",)


@pytest.mark.parametrize(
    "body", [b"", b"no xml", b"<methodCall/>", b"\xff\xfe\x00", b"<a><b></a>", b"<methodResponse/>"]
)
def test_what_is_no_call_is_a_fault(body: bytes) -> None:
    with pytest.raises(Fault) as raised:
        loads(Program().post(body).content)

    assert raised.value.faultCode in (-32700, -32601)


def test_an_unknown_method_and_a_wrong_number_of_arguments_are_faults() -> None:
    assert fault_of(Program(), "no.such.method").faultCode == -32601
    assert fault_of(Program(), "system.version", 1).faultCode == -32603


@pytest.mark.parametrize(
    "header", ["Basic !", "Basic", f"{basic('alice', 'wrong')}", "Token abc", basic("alice", "")]
)
def test_wrong_credentials_are_refused(alice: User, header: str) -> None:
    response = Client().post(
        "/RPC2", dumps((), "system.whoami"), content_type="text/xml", headers={"Authorization": header}
    )

    assert response.status_code == 401
    assert "Basic" in response["WWW-Authenticate"]


def test_a_token_is_good_for_its_own_user_only(alice: User, bob: User) -> None:
    header = basic("bob", Token.objects.issue(alice))

    response = Client().post(
        "/RPC2", dumps((), "system.whoami"), content_type="text/xml", headers={"Authorization": header}
    )

    assert response.status_code == 401


def test_a_busy_database_is_a_fault_and_no_5xx(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(*arguments: object, **options: object) -> None:
        raise OperationalError("database is locked")

    program = Program(alice)
    monkeypatch.setattr("jobs.lifecycle.submit", locked)

    assert fault_of(program, "scheduler.jobs.submit", "x").faultCode == 503


def test_a_failure_of_ours_is_a_fault_without_a_trace(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise ZeroDivisionError("secret detail")

    program = Program(alice)
    monkeypatch.setattr("jobs.lifecycle.submit", fail)

    fault = fault_of(program, "scheduler.jobs.submit", "x")
    assert fault.faultCode == -32603
    assert "secret" not in fault.faultString


def test_a_token_for_reading_submits_nothing(alice: User) -> None:
    build.device()
    program = Program(alice)
    program.headers["Authorization"] = basic("alice", Token.objects.issue(alice, scope=Scope.READ))

    fault = fault_of(program, "scheduler.jobs.submit", build.definition())

    assert (fault.faultCode, fault.faultString) == (
        403,
        "This token is for read only; this takes one for submit.",
    )
    assert not Job.objects.exists()
