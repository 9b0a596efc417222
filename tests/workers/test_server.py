"""The server end of the worker protocol. The statuses and texts are what LAVA 2023.01 answered, where they were sane."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
import yaml
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.models import RemoteToken
from devices import lifecycle as devices
from devices.models import Device, Worker
from devices.states import DeviceHealth, WorkerState
from events.models import Event
from jobs import lifecycle, logs
from jobs.logs import packing
from jobs.models import Job
from jobs.models import TestCase as Case
from jobs.states import Health, State
from tests import build
from workers.messages import USER_AGENT
from workers.tokens import token_of

pytestmark = pytest.mark.django_db

WORKERS = "/scheduler/internal/v1/workers/"
FORM = "application/x-www-form-urlencoded"
Answer = tuple[int, dict[str, Any]]


class Wire:
    """Requests as a worker makes them."""

    def __init__(self) -> None:
        self._client = Client(enforce_csrf_checks=True)

    def register(self, **fields: str) -> Answer:
        return _read(self._client.post(WORKERS, fields))

    def ping(self, name: str, token: str | None, **query: str) -> Answer:
        return _read(self._client.get(f"{WORKERS}{name}/", query, headers=_headers(token)))

    def fetch(self, job: object, token: str | None) -> Answer:
        return _read(self._client.get(_job(job), headers=_headers(token)))

    def tell(self, job: object, token: str | None, **fields: str) -> Answer:
        return self._post(_job(job), token, fields)

    def log(self, job: object, token: str | None, *, agent: str = "lava 2023.01", **fields: Any) -> Answer:
        return self._post(f"{_job(job)}logs/", token, fields, agent=agent)

    def _post(self, path: str, token: str | None, fields: dict[str, Any], *, agent: str = "") -> Answer:
        headers = {**_headers(token), "user-agent": agent}
        return _read(self._client.post(path, urlencode(fields), content_type=FORM, headers=headers))


def _read(answer: Any) -> Answer:
    return answer.status_code, json.loads(answer.content)


def _headers(token: str | None) -> dict[str, str]:
    return {} if token is None else {"lava-token": token}


def _job(job: object) -> str:
    return f"/scheduler/internal/v1/jobs/{job}/"


@pytest.fixture
def wire(settings: Settings) -> Wire:
    settings.WORKER_AUTO_REGISTER_NETMASK = ["127.0.0.0/8", "::1"]
    return Wire()


@pytest.fixture
def running(alice: User) -> Job:
    return build.job(submitter=alice, state=State.RUNNING)


@pytest.fixture
def token(running: Job) -> str:
    return token_of(running.pk, 1)


def record(message: Any, level: str = "target", *, second: int = 0) -> str:
    time = f"2026-11-22T03:16:{second:02}.122131"
    return "- " + json.dumps({"dt": time, "lvl": level, "msg": message})


def result(case: str, result: str = "pass", **more: Any) -> str:
    return record({"definition": "0_smoke", "case": case, "result": result} | more, "results")


def lines(*records: str) -> str:
    return "\n".join(records)


def text_of(job: Job) -> str:
    return (job.log_directory() / "output.log").read_text()


# Registering


def test_a_new_worker_from_this_machine_gets_a_token_that_opens_its_address(wire: Wire) -> None:
    status, body = wire.register(name="board-farm.example")

    assert status == 200
    assert body["name"] == "board-farm.example"
    assert wire.ping("board-farm.example", body["token"], version="2023.01")[0] == 200
    assert Worker.objects.get(pk="board-farm.example").token_digest != body["token"]


def test_a_worker_that_exists_gets_no_second_token(wire: Wire) -> None:
    _, first = wire.register(name="worker01")

    assert wire.register(name="worker01") == (403, {"error": "Worker 'worker01' already registered"})
    assert wire.ping("worker01", first["token"], version="1")[0] == 200


def test_a_superuser_s_password_makes_a_new_token_and_ends_the_old_one(wire: Wire, admin: User) -> None:
    _, old = wire.register(name="worker01")

    status, new = wire.register(name="worker01", username="admin", password=build.PASSWORD)

    assert status == 200
    assert wire.ping("worker01", old["token"], version="1")[0] == 400
    assert wire.ping("worker01", new["token"], version="1")[0] == 200


def test_somebody_who_may_add_workers_adds_one_but_replaces_no_token(wire: Wire, bob: User) -> None:
    bob.user_permissions.add(Permission.objects.get(codename="add_worker"))
    who = {"username": "bob", "password": build.PASSWORD}

    assert wire.register(name="worker01", **who)[0] == 200
    assert wire.register(name="worker01", **who)[0] == 403


@pytest.mark.parametrize(
    ("fields", "status", "error"),
    [
        ({}, 400, "Missing 'name'"),
        ({"name": ""}, 400, "Missing 'name'"),
        ({"name": "../etc"}, 400, "Invalid name '../etc': Use letters, digits and - _ . @ only."),
        ({"name": "nul\0"}, 400, "Invalid name 'nul\\x00': Use letters, digits and - _ . @ only."),
        ({"name": "w" * 129}, 400, f"Invalid name '{'w' * 129}': Use letters, digits and - _ . @ only."),
        ({"name": "w", "username": "alice", "password": "wrong"}, 403, "Unknown user alice"),
        ({"name": "w", "username": "alice", "password": ""}, 403, "Unknown user alice"),
        (
            {"name": "w", "username": "nul\0", "password": "x"},
            403,
            "Unknown user nul\N{REPLACEMENT CHARACTER}",
        ),
        (
            {"name": "w", "username": "alice", "password": build.PASSWORD},
            403,
            "User alice may not add workers",
        ),
    ],
    ids=str,
)
def test_a_registration_that_is_refused_says_why(
    fields: dict[str, str], status: int, error: str, wire: Wire, alice: User
) -> None:
    assert wire.register(**fields) == (status, {"error": error})
    assert not Worker.objects.exists()


def test_by_default_no_address_is_trusted() -> None:
    assert Wire().register(name="worker01")[0] == 403


def test_an_address_that_is_not_trusted_registers_nothing(wire: Wire, settings: Settings) -> None:
    settings.WORKER_AUTO_REGISTER_NETMASK = ["10.0.0.0/8"]

    status, body = wire.register(name="worker01")

    assert (status, body["error"]) == (
        403,
        "Auto registration is off for this address (WORKER_AUTO_REGISTER_NETMASK)",
    )


# Pinging


def test_a_ping_brings_the_orders_and_notes_that_the_worker_is_there(wire: Wire) -> None:
    build.worker(state=WorkerState.OFFLINE)
    secret = build.worker_token()

    answer = wire.ping("worker01", secret, version="2023.01")

    assert answer == (200, {"cancel": [], "running": [], "start": []})
    worker = Worker.objects.get(pk="worker01")
    assert (worker.state, worker.version) == (WorkerState.ONLINE, "2023.01")
    assert worker.last_ping is not None
    assert build.events_of(worker)[-1] == "worker.changed"


def test_further_pings_are_no_events(wire: Wire) -> None:
    secret = build.worker_token()
    wire.ping("worker01", secret, version="2023.01")
    before = Event.objects.count()

    wire.ping("worker01", secret, version="2023.01")
    wire.ping("worker01", secret, version="2024.05")

    assert Event.objects.count() == before
    assert Worker.objects.get(pk="worker01").version == "2024.05"


@pytest.mark.parametrize("version", ["2023.01", "2099.12", "nul\0", "x" * 500], ids=repr)
def test_any_version_is_welcome(version: str, wire: Wire) -> None:
    assert wire.ping("worker01", build.worker_token(), version=version)[0] == 200


@pytest.mark.parametrize(
    ("name", "has_token", "query", "status", "error"),
    [
        ("worker01", True, {}, 400, "Missing 'version'"),
        ("worker01", None, {"version": "1"}, 400, "Missing 'token'"),
        ("worker01", False, {"version": "1"}, 400, "Invalid 'token'"),
        ("nosuchworker", True, {"version": "1"}, 404, "Unknown worker 'nosuchworker'"),
        ("nul%00", True, {"version": "1"}, 404, "Unknown worker 'nul\0'"),
    ],
)
def test_a_ping_that_is_refused_says_why(
    name: str, has_token: bool | None, query: dict[str, str], status: int, error: str, wire: Wire
) -> None:
    secret = build.worker_token()
    sent = {True: secret, False: "wrong", None: None}[has_token]

    assert wire.ping(name, sent, **query) == (status, {"error": error})
    assert Worker.objects.get(pk="worker01").last_ping is None


def test_a_worker_without_a_token_is_opened_by_none(wire: Wire) -> None:
    build.worker()

    assert wire.ping("worker01", "", version="1")[0] == 400
    assert wire.ping("worker01", "anything", version="1") == (400, {"error": "Invalid 'token'"})


def test_a_worker_gets_orders_for_its_own_jobs_by_their_state(wire: Wire, alice: User) -> None:
    jobs = {}
    for state in (State.SCHEDULED, State.RUNNING, State.CANCELING, State.FINISHED):
        jobs[state] = build.job(submitter=alice, state=state, device=f"{state.label.lower()}01").pk
    build.device("elsewhere01", worker="worker02")
    foreign = build.job(submitter=alice)
    lifecycle.schedule(foreign.pk, "elsewhere01")

    _, orders = wire.ping("worker01", build.worker_token(), version="1")

    def order(state: State) -> list[dict[str, Any]]:
        return [{"id": jobs[state], "token": token_of(jobs[state], 1)}]

    assert orders == {
        "start": order(State.SCHEDULED),
        "running": order(State.RUNNING),
        "cancel": order(State.CANCELING),
    }


# Fetching a job


def test_a_job_s_files_are_five_texts_of_yaml(wire: Wire, alice: User) -> None:
    build.device(dictionary="actions: {boot: {}}")
    job = build.job(submitter=alice, state=State.SCHEDULED, lava_lite={})

    status, files = wire.fetch(job.pk, token_of(job.pk, 1))

    assert status == 200
    assert set(files) == {"definition", "device", "dispatcher", "env", "env-dut"}
    assert all(isinstance(text, str) for text in files.values())
    definition = yaml.safe_load(files["definition"])
    assert definition["compatibility"] == 0
    assert "lava_lite" not in definition
    assert yaml.safe_load(files["device"]) == {"actions": {"boot": {}}}


def test_a_device_without_a_dictionary_has_its_type_s(wire: Wire, alice: User) -> None:
    build.device_type("qemu", dictionary="executor: lava")
    job = build.job(submitter=alice, state=State.SCHEDULED)

    _, files = wire.fetch(job.pk, token_of(job.pk, 1))

    assert files["device"] == "executor: lava"


def test_a_job_that_was_accepted_is_handed_out_though_the_limit_is_lower_now(
    wire: Wire, alice: User, settings: Settings
) -> None:
    job = build.job(submitter=alice, state=State.SCHEDULED)
    settings.DEFINITION_LIMIT = 10

    assert wire.fetch(job.pk, token_of(job.pk, 1))[0] == 200


@pytest.mark.parametrize("job", ["999999", "0", "12.1", "x", "-1", "9" * 30, "\N{ARABIC-INDIC DIGIT ONE}"])
def test_an_unknown_job_is_a_404(job: str, wire: Wire) -> None:
    assert wire.fetch(job, "x") == (404, {"error": f"Unknown job '{job}'"})


def test_a_job_is_opened_by_its_own_token_only(wire: Wire, running: Job, token: str, alice: User) -> None:
    other = build.job(submitter=alice, state=State.RUNNING, device="qemu02")

    for wrong in ("x", token_of(other.pk, 1), token_of(running.pk, 2), token.upper(), "\xe9"):
        assert wire.fetch(running.pk, wrong) == (400, {"error": "Invalid 'token'"})
        assert wire.tell(running.pk, wrong, state="FINISHED", result="pass")[0] == 400
        assert wire.log(running.pk, wrong, lines=record("x"), index=0)[0] == 400
    assert wire.fetch(running.pk, None) == (400, {"error": "Missing 'token'"})
    assert Job.objects.get(pk=running.pk).state == State.RUNNING
    assert not running.log_directory().exists()


# The worker's word of the state


def test_running_starts_the_job_and_may_be_said_again(wire: Wire, alice: User) -> None:
    job = build.job(submitter=alice, state=State.SCHEDULED)

    for _ in range(2):
        assert wire.tell(job.pk, token_of(job.pk, 1), state="RUNNING") == (200, {})

    assert build.events_of(job) == ["job.submitted", "job.scheduled", "job.started"]
    assert Event.objects.filter(type="job.started").get().actor == "worker01"


def test_finished_ends_the_job_and_keeps_what_the_worker_said(wire: Wire, running: Job, token: str) -> None:
    fields = {"result": "fail", "error_type": "Infrastructure", "errors": "no power", "description": "a: 1"}

    assert wire.tell(running.pk, token, state="FINISHED", **fields) == (200, {})

    job = Job.objects.get(pk=running.pk)
    assert (job.state, job.health) == (State.FINISHED, Health.INCOMPLETE)
    assert (job.error_type, job.failure_comment) == ("Infrastructure", "no power")
    assert build.attempt(job).pipeline == "a: 1"
    assert Device.objects.get(pk="qemu01").health == DeviceHealth.UNKNOWN


def test_finished_said_again_changes_nothing(wire: Wire, running: Job, token: str) -> None:
    wire.tell(running.pk, token, state="FINISHED", result="pass")
    before = (Job.objects.values().get(pk=running.pk), build.events_of(running))

    assert wire.tell(running.pk, token, state="FINISHED", result="fail", errors="again") == (200, {})

    assert (Job.objects.values().get(pk=running.pk), build.events_of(running)) == before


def test_running_said_after_the_end_changes_nothing(wire: Wire, running: Job, token: str) -> None:
    wire.tell(running.pk, token, state="FINISHED", result="pass")

    assert wire.tell(running.pk, token, state="RUNNING") == (200, {})

    assert Job.objects.get(pk=running.pk).state == State.FINISHED


def test_finished_after_a_cancel_ends_it_as_canceled(wire: Wire, running: Job, token: str) -> None:
    lifecycle.cancel(running.pk, by="alice")

    wire.tell(running.pk, token, state="FINISHED", result="fail", error_type="Canceled")

    job = Job.objects.get(pk=running.pk)
    assert (job.state, job.health) == (State.FINISHED, Health.CANCELED)
    assert Device.objects.get(pk="qemu01").health == DeviceHealth.GOOD


def test_a_worker_that_does_not_know_the_job_it_shall_cancel_ends_it(
    wire: Wire, running: Job, token: str
) -> None:
    """LAVA's worker says this of a job that it never saw; it is no error of the lab."""
    lifecycle.cancel(running.pk, by="alice")

    wire.tell(running.pk, token, state="FINISHED", result="fail", error_type="Bug")

    assert Job.objects.get(pk=running.pk).health == Health.CANCELED


def test_finished_without_a_word_of_the_start_is_both(wire: Wire, alice: User) -> None:
    job = build.job(submitter=alice, state=State.SCHEDULED)

    wire.tell(job.pk, token_of(job.pk, 1), state="FINISHED", result="pass")

    assert build.events_of(job)[-2:] == ["job.started", "job.completed"]
    assert Job.objects.get(pk=job.pk).start_time is not None


def test_texts_that_a_database_does_not_take_are_made_storable(wire: Wire, running: Job, token: str) -> None:
    nasty = {"error_type": "Job\0", "errors": "\0 and \ud800", "description": "x\0"}
    body = urlencode({"state": "FINISHED", "result": "fail"} | nasty, errors="surrogatepass")

    answer = Client().post(_job(running.pk), body, content_type=FORM, headers=_headers(token))

    assert answer.status_code == 200
    assert "\0" not in Job.objects.get(pk=running.pk).failure_comment


def test_an_end_with_megabytes_of_errors_is_taken(wire: Wire, running: Job, token: str) -> None:
    errors = "the kernel did not boot\n" * 200_000

    assert wire.tell(running.pk, token, state="FINISHED", result="fail", errors=errors)[0] == 200

    assert build.attempt(running).errors == errors


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({}, "Invalid state ''"),
        ({"state": "BOGUS"}, "Invalid state 'Bogus'"),
        ({"state": "SUBMITTED"}, "Invalid state 'Submitted': expected RUNNING or FINISHED"),
        ({"state": "FINISHED"}, "Invalid result ''"),
        ({"state": "FINISHED", "result": "maybe"}, "Invalid result 'maybe'"),
    ],
    ids=str,
)
def test_a_word_that_is_none_is_refused(
    fields: dict[str, str], error: str, wire: Wire, running: Job, token: str
) -> None:
    assert wire.tell(running.pk, token, **fields) == (400, {"error": error})
    assert Job.objects.get(pk=running.pk).state == State.RUNNING


# Jobs that are not here any more


def test_the_worker_of_a_deleted_job_is_let_go_on(wire: Wire, running: Job, token: str) -> None:
    wire.tell(running.pk, token, state="FINISHED", result="pass")
    pk = running.pk
    Job.objects.get(pk=pk).delete()

    assert wire.tell(pk, token, state="FINISHED", result="pass") == (200, {})
    assert wire.tell(pk, token, state="RUNNING") == (200, {})
    assert wire.log(pk, token, lines=lines(record("a"), record("b")), index=7) == (200, {"line_count": 2})
    assert wire.fetch(pk, token) == (404, {"error": f"Unknown job '{pk}'"})
    assert wire.tell(pk, "x", state="FINISHED", result="pass") == (404, {"error": f"Unknown job '{pk}'"})


# The log


def test_records_become_the_log(wire: Wire, running: Job, token: str) -> None:
    answer = wire.log(running.pk, token, lines=lines(record("one"), record("zw\xf6lf \u2713")), index=0)

    assert answer == (200, {"line_count": 2})
    assert text_of(running) == "one\nzw\xf6lf \u2713\n"


def test_a_post_that_is_repeated_is_stored_once(wire: Wire, running: Job, token: str) -> None:
    batch = lines(record("one"), result("boot"), record("two"))

    for _ in range(3):
        assert wire.log(running.pk, token, lines=batch, index=0) == (200, {"line_count": 3})

    assert logs.record_count(running.log_directory()) == 3
    assert Case.objects.count() == 1


def test_posts_that_overlap_are_joined(wire: Wire, running: Job, token: str) -> None:
    wire.log(running.pk, token, lines=lines(record("0"), result("a")), index=0)

    answer = wire.log(running.pk, token, lines=lines(result("a"), result("b"), record("3")), index=1)

    assert answer == (200, {"line_count": 3})
    assert logs.record_count(running.log_directory()) == 4
    assert list(Case.objects.order_by("index").values_list("index", "name")) == [(1, "a"), (2, "b")]


def test_a_hole_becomes_a_line_that_says_so(wire: Wire, running: Job, token: str) -> None:
    wire.log(running.pk, token, lines=record("first"), index=0)

    answer = wire.log(running.pk, token, lines=record("sixth"), index=5)

    assert answer == (200, {"line_count": 1})
    assert text_of(running) == "first\n4 records missing\nsixth\n"


def test_our_own_worker_is_asked_for_what_is_missing(wire: Wire, running: Job, token: str) -> None:
    wire.log(running.pk, token, lines=record("first"), index=0, agent=f"{USER_AGENT} 1.0")

    status, body = wire.log(running.pk, token, lines=record("x"), index=5, agent=f"{USER_AGENT} 1.0")

    assert (status, body["expected"]) == (409, 1)
    assert text_of(running) == "first\n"


def test_a_result_far_behind_a_hole_is_stored(wire: Wire, running: Job, token: str) -> None:
    answer = wire.log(running.pk, token, lines=result("late"), index=10**17)

    assert answer == (200, {"line_count": 1})
    assert Case.objects.get().index == 10**17


def test_a_post_of_ten_megabytes_is_taken(wire: Wire, running: Job, token: str) -> None:
    batch = lines(*(record("x" * 10_000) for _ in range(1000)))

    assert wire.log(running.pk, token, lines=batch, index=0) == (200, {"line_count": 1000})

    assert logs.size(running.log_directory()) == 1000 * 10_001


@pytest.mark.parametrize(
    "line",
    [
        '- {"dt":',
        "- nonsense",
        "- [1, 2]",
        '- {"dt": "soon", "lvl": "info", "msg": "x"}',
        '- {"dt": "2026-11-22T03:16:06.122131", "lvl": "shout", "msg": "x"}',
        '- {"dt": "2026-11-22T03:16:06.122131", "lvl": "info"}',
        "no item",
        "- \0",
    ],
    ids=repr,
)
def test_a_line_that_cannot_be_read_is_kept_as_it_is(line: str, wire: Wire, running: Job, token: str) -> None:
    batch = lines(record("before"), line, record("after"))

    status, body = wire.log(running.pk, token, lines=batch, index=0)

    assert status == 200
    text = text_of(running).splitlines()
    assert (text[0], text[-1]) == ("before", "after") if line != "no item" else text[-1] == "after"
    assert body["line_count"] == logs.record_count(running.log_directory())


def test_nul_and_broken_characters_are_replaced(wire: Wire, running: Job, token: str) -> None:
    body = (
        b"index=0&lines=" + b"- {%22dt%22: %222026-11-22T03:16:06%22, %22lvl%22: %22info%22, %22msg%22: %22"
    )
    body += b"%FF%00\\u0000\\ud800%22}"

    answer = Client().post(f"{_job(running.pk)}logs/", body, content_type=FORM, headers=_headers(token))

    assert answer.json() == {"line_count": 1}
    assert text_of(running) == "\N{REPLACEMENT CHARACTER}" * 4 + "\n"


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"index": 0}, "Missing 'lines'"),
        ({"lines": "", "index": 0}, "Missing 'lines'"),
        ({"lines": "- x"}, "Missing 'index'"),
        ({"lines": "- x", "index": "one"}, "Invalid 'index'"),
        ({"lines": "- x", "index": -1}, "Invalid 'index'"),
        ({"lines": "- x", "index": "9" * 40}, "Invalid 'index'"),
    ],
    ids=str,
)
def test_a_log_post_that_is_none_is_refused(
    fields: dict[str, Any], error: str, wire: Wire, running: Job, token: str
) -> None:
    assert wire.log(running.pk, token, **fields) == (400, {"error": error})
    assert not running.log_directory().exists()


def test_records_that_come_after_the_end_are_stored(wire: Wire, running: Job, token: str) -> None:
    wire.tell(running.pk, token, state="FINISHED", result="pass")

    assert wire.log(running.pk, token, lines=record("last words"), index=0)[0] == 200

    assert text_of(running) == "last words\n"


def test_no_secret_of_the_job_comes_into_its_log_its_results_or_the_words_of_its_end(
    wire: Wire, alice: User
) -> None:
    job = build.job(submitter=alice, state=State.RUNNING, secrets={"KEY": "hunter2x"})
    token = token_of(job.pk, 1)
    spoken = record(f"hunter2x, and {token}")

    wire.log(job.pk, token, lines=lines(spoken, result("boot-hunter2x", note=["hunter2x"])), index=0)
    wire.tell(job.pk, token, state="FINISHED", result="fail", error_type="Job", errors="no hunter2x here")

    assert text_of(job).startswith("[masked], and [masked]\n")
    assert "hunter2x" not in text_of(job)
    case = Case.objects.get()
    assert (case.name, case.metadata["note"]) == ("boot-[masked]", ["[masked]"])
    job.refresh_from_db()
    assert job.failure_comment == "no [masked] here"


def test_a_stored_token_that_the_job_names_is_masked_and_its_name_is_not(
    wire: Wire, alice: User, bob: User
) -> None:
    RemoteToken.objects.create(user=alice, name="store", secret="hunter2x")
    RemoteToken.objects.create(user=bob, name="plain", secret="bobs own")
    job = build.job(submitter=alice, state=State.RUNNING, secrets={"KEY": "store", "OTHER": "plain"})
    wire.fetch(job.pk, token_of(job.pk, 1))

    wire.log(job.pk, token_of(job.pk, 1), lines=record("from the store with hunter2x, plain"), index=0)

    assert text_of(job) == "from the store with [masked], [masked]\n"


@pytest.mark.parametrize("change", ["forgotten", "replaced", "renewed while it is given again"])
def test_a_token_that_the_worker_has_stays_hidden_whatever_becomes_of_it(
    wire: Wire, alice: User, change: str
) -> None:
    kept = RemoteToken.objects.create(user=alice, name="store", secret="hunter2x")
    job = build.job(submitter=alice, state=State.RUNNING, secrets={"KEY": "store"})
    token = token_of(job.pk, 1)
    wire.fetch(job.pk, token)
    if change == "forgotten":
        kept.delete()
    else:
        RemoteToken.objects.update(secret="its successor")
    if change.startswith("renewed"):
        wire.fetch(job.pk, token)

    wire.log(job.pk, token, lines=record("the store knows hunter2x"), index=0)

    assert text_of(job) == "the store knows [masked]\n"


def test_results_are_stored_by_the_repeated_post_when_the_server_died_after_the_file(
    wire: Wire, running: Job, token: str
) -> None:
    batch = lines(record("one"), result("boot", measurement=1.5, units="s"))
    logs.append(running.log_directory(), 0, logs.parse_lines(batch))
    assert not Case.objects.exists()

    assert wire.log(running.pk, token, lines=batch, index=0) == (200, {"line_count": 2})

    assert logs.record_count(running.log_directory()) == 2
    assert Case.objects.get().name == "boot"


def test_a_disk_that_is_full_is_told_and_the_repeated_post_completes_the_log(
    wire: Wire, running: Job, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(logs, "append", full)
        status, body = wire.log(running.pk, token, lines=result("boot"), index=0)

    assert (status, "No space left" in body["error"]) == (503, True)
    assert not Case.objects.exists()
    assert wire.log(running.pk, token, lines=result("boot"), index=0) == (200, {"line_count": 1})
    assert Case.objects.count() == 1


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", WORKERS),
        ("post", f"{WORKERS}worker01/"),
        ("put", "/scheduler/internal/v1/jobs/1/"),
        ("get", "/scheduler/internal/v1/jobs/1/logs/"),
    ],
)
def test_another_method_is_refused(method: str, path: str) -> None:
    assert getattr(Client(), method)(path).status_code == 405


def test_a_worker_that_is_silent_for_a_minute_is_offline_until_its_next_ping(wire: Wire) -> None:
    secret = build.worker_token()
    wire.ping("worker01", secret, version="1")
    Worker.objects.filter(pk="worker01").update(last_ping=timezone.now() - timedelta(seconds=61))
    devices.worker_silent("worker01")
    assert Worker.objects.get(pk="worker01").state == WorkerState.OFFLINE

    wire.ping("worker01", secret, version="1")

    assert Worker.objects.get(pk="worker01").state == WorkerState.ONLINE


# Jobs that the lab has ended by itself


@pytest.fixture
def given_up(running: Job) -> Job:
    lifecycle.end_overdue(build.overdue(running).pk)
    return running


def test_a_job_that_the_lab_ended_is_to_be_canceled_until_its_worker_says_that_it_is_over(
    wire: Wire, given_up: Job, token: str
) -> None:
    secret = build.worker_token()
    order = {"id": given_up.pk, "token": token}

    asked = [wire.ping("worker01", secret, version="2023.01")[1]["cancel"] for _ in range(2)]
    answer = wire.tell(given_up.pk, token, state="FINISHED", result="fail", error_type="Bug")

    assert asked == [[order], [order]]
    assert answer == (200, {})
    assert wire.ping("worker01", secret, version="2023.01")[1]["cancel"] == []
    device = Device.objects.get(pk="qemu01")
    assert (device.is_closed, device.health) == (False, DeviceHealth.GOOD)


def test_only_the_worker_that_had_it_is_told(wire: Wire, given_up: Job) -> None:
    build.device("qemu09", worker="worker02")

    assert wire.ping("worker02", build.worker_token("worker02"), version="1")[1]["cancel"] == []


def test_a_word_of_the_start_comes_too_late_for_a_job_that_the_lab_ended(
    wire: Wire, given_up: Job, token: str
) -> None:
    assert wire.tell(given_up.pk, token, state="RUNNING") == (200, {})

    assert Job.objects.get(pk=given_up.pk).state == State.FINISHED
    assert Device.objects.get(pk="qemu01").is_closed


def test_a_worker_that_was_too_slow_cannot_begin_a_job_that_has_ended(
    wire: Wire, given_up: Job, token: str
) -> None:
    assert wire.fetch(given_up.pk, token) == (404, {"error": f"Job '{given_up.pk}' has ended"})


def test_the_end_of_an_attempt_that_another_one_followed_is_confirmed_too(
    wire: Wire, given_up: Job, token: str
) -> None:
    Job.objects.filter(pk=given_up.pk).update(attempt=2)

    assert wire.tell(given_up.pk, token, state="FINISHED", result="fail") == (200, {})

    assert not Device.objects.get(pk="qemu01").is_closed


def test_a_worker_that_lost_its_directory_confirms_with_its_new_token(
    wire: Wire, given_up: Job, token: str, admin: User
) -> None:
    _, new = wire.register(name="worker01", username="admin", password=build.PASSWORD)

    order = wire.ping("worker01", new["token"], version="2023.01")[1]["cancel"][0]
    wire.tell(order["id"], order["token"], state="FINISHED", result="fail", error_type="Bug")

    assert not Device.objects.get(pk="qemu01").is_closed


# What a test says of its own


SPOKEN = (
    record("<LAVA_SIGNAL_TESTEVENT flashed: 3 boards>"),
    record("Received signal: <TESTEVENT> flashed: 3 boards", level="debug"),
    record("flashed: 3 boards", level="event"),
)


def sayings() -> list[tuple[str, str]]:
    events = Event.objects.filter(type__startswith="custom.").order_by("id")
    return [(event.type, event.data["message"]) for event in events]


def test_what_a_test_says_by_lava_s_worker_is_told_once(wire: Wire, running: Job, token: str) -> None:
    for _ in range(2):
        assert wire.log(running.pk, token, index=0, lines=lines(*SPOKEN)) == (200, {"line_count": 3})

    assert sayings() == [("custom.flashed", "flashed: 3 boards")]
    assert "flashed: 3 boards" in text_of(running).splitlines()


def test_what_a_test_says_is_told_by_the_post_after_the_one_that_was_not_answered(
    wire: Wire, running: Job, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as killed:
        killed.setattr("jobs.sayings.outbox.record_all", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            wire.log(running.pk, token, index=0, lines=lines(*SPOKEN))
    assert sayings() == []

    wire.log(running.pk, token, index=0, lines=lines(*SPOKEN))

    assert sayings() == [("custom.flashed", "flashed: 3 boards")]


def test_a_test_that_says_too_much_does_not_stop_its_worker(wire: Wire, running: Job, token: str) -> None:
    said = [record(f"count: {number}", level="event") for number in range(100)]

    assert wire.log(running.pk, token, index=0, lines=lines(*said)) == (200, {"line_count": 100})
    assert len(sayings()) == 20


# Another attempt


@pytest.fixture
def asking(wire: Wire, running: Job, token: str) -> Job:
    """A job on LAVA's own worker whose test printed that it wants to be run again, in the middle of other lines."""
    signal = "<LAVA_SIGNAL_DEFER 600 the%20server%20is%20down>"
    records = (record("begins"), record(signal), record("Received signal: <DEFER> 600", level="debug"))
    assert wire.log(running.pk, token, index=0, lines=lines(*records)) == (200, {"line_count": 3})
    return running


def test_a_test_that_asked_to_be_put_off_in_its_log_runs_again_later(
    wire: Wire, asking: Job, token: str
) -> None:
    wire.tell(asking.pk, token, state="FINISHED", result="fail", error_type="Test", errors="deferred")

    job = Job.objects.get(pk=asking.pk)
    assert (job.state, job.attempt, job.not_before_reason) == (State.SUBMITTED, 2, "the server is down")
    assert timedelta(minutes=9) < job.not_before - timezone.now() <= timedelta(minutes=10)


def test_only_what_the_device_printed_is_heard(wire: Wire, running: Job, token: str) -> None:
    signal = "<LAVA_SIGNAL_DEFER 600 x>"
    wire.log(running.pk, token, index=0, lines=lines(record(signal, level="debug")))

    assert build.attempt(running).deferral is None


def test_what_is_printed_after_the_end_puts_nothing_off(wire: Wire, running: Job, token: str) -> None:
    wire.tell(running.pk, token, state="FINISHED", result="pass")

    wire.log(running.pk, token, index=0, lines=lines(record("<LAVA_SIGNAL_DEFER 600 x>")))

    assert build.attempt(running).deferral is None


@pytest.fixture
def elsewhere(alice: User) -> Job:
    """A job whose first attempt the lab ended by itself; the second one has another device of the same worker."""
    retry = {"attempts": 2, "errors": ["Job"]}
    job = build.given_up(submitter=alice, lava_lite={"retry": retry})
    build.device("qemu02")
    lifecycle.schedule(job.pk, "qemu02")
    found: Job = Job.objects.get(pk=job.pk)
    return found


def test_a_worker_stops_the_old_attempt_before_it_hears_of_the_next(wire: Wire, elsewhere: Job) -> None:
    secret = build.worker_token()
    first, second = (token_of(elsewhere.pk, attempt) for attempt in (1, 2))

    _, orders = wire.ping("worker01", secret, version="2023.01")
    assert orders["cancel"] == [{"id": elsewhere.pk, "token": first}]
    assert orders["start"] == []

    wire.tell(elsewhere.pk, first, state="FINISHED", result="fail", error_type="Canceled")
    _, orders = wire.ping("worker01", secret, version="2023.01")
    assert orders["cancel"] == []
    assert orders["start"] == [{"id": elsewhere.pk, "token": second}]


def test_each_attempt_has_its_own_token_log_and_results(wire: Wire, elsewhere: Job) -> None:
    first, second = (token_of(elsewhere.pk, attempt) for attempt in (1, 2))

    wire.log(elsewhere.pk, second, index=0, lines=lines(record("second"), result("boots")))
    wire.log(elsewhere.pk, first, index=0, lines=lines(record("first"), result("boots", "fail")))

    texts = [logs.read(elsewhere.log_directory(number), 0, 100).content for number in (1, 2)]
    assert [text.split("\n")[0] for text in texts] == ["first", "second"]
    results = [attempt.cases.get().result for attempt in elsewhere.attempts.all()]
    assert results == ["fail", "pass"]


def test_a_worker_that_still_has_the_old_attempt_cannot_fetch_it(wire: Wire, elsewhere: Job) -> None:
    first = token_of(elsewhere.pk, 1)

    assert wire.fetch(elsewhere.pk, first) == (404, {"error": f"Job '{elsewhere.pk}' has ended"})


# Logs without end


def test_a_job_whose_log_is_longer_than_it_may_be_is_ended_with_that_reason(
    wire: Wire, running: Job, token: str, settings: Settings
) -> None:
    settings.LOG_HARD_LIMIT = 1000

    wire.log(running.pk, token, lines=record("x" * 500), index=0)
    assert Job.objects.get(pk=running.pk).state == State.RUNNING
    wire.log(running.pk, token, lines=record("y" * 500), index=1)

    job = Job.objects.get(pk=running.pk)
    assert (job.state, job.health, job.error_type) == (State.FINISHED, Health.INCOMPLETE, "Job")
    assert job.failure_comment.startswith(
        "Its log is longer than 1,000 bytes (LOG_HARD_LIMIT). Ended by the lab"
    )
    assert len(text_of(running)) == 1002
    assert Device.objects.get(pk="qemu01").is_closed


def test_what_a_job_writes_after_its_log_became_too_long_is_stored_and_changes_nothing(
    wire: Wire, running: Job, token: str, settings: Settings
) -> None:
    settings.LOG_HARD_LIMIT = 10
    wire.log(running.pk, token, lines=record("too much of it"), index=0)
    before = Job.objects.get(pk=running.pk)

    assert wire.log(running.pk, token, lines=record("and more"), index=1)[0] == 200

    assert text_of(running) == "too much of it\nand more\n"
    assert Job.objects.get(pk=running.pk).end_time == before.end_time
    assert wire.tell(running.pk, token, state="FINISHED", result="fail")[0] == 200
    assert not Device.objects.get(pk="qemu01").is_closed


def test_no_log_is_too_long_without_a_limit(wire: Wire, running: Job, token: str, settings: Settings) -> None:
    settings.LOG_HARD_LIMIT = 0

    wire.log(running.pk, token, lines=record("x" * 5000), index=0)

    assert Job.objects.get(pk=running.pk).state == State.RUNNING


def test_records_that_come_after_the_log_was_packed_are_stored(wire: Wire, running: Job, token: str) -> None:
    wire.log(running.pk, token, lines=record("first words"), index=0)
    wire.tell(running.pk, token, state="FINISHED", result="pass")
    packing.pack(running.log_directory())

    assert wire.log(running.pk, token, lines=record("last words"), index=1)[0] == 200

    assert text_of(running) == "first words\nlast words\n"
