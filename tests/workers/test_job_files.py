"""What a worker is given, and what becomes of a job that none can be given (end to end: scheduler, then worker)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from django.contrib.auth.models import User
from pytest_django import Settings

from accounts.models import RemoteToken
from devices.models import Device
from devices.states import DeviceHealth, DeviceState
from jobs import lifecycle, scheduler
from jobs.models import Job
from jobs.states import Health, State
from tests import build
from tests.devices import test_templates
from tests.workers.test_server import Wire
from workers.tokens import token_of

pytestmark = pytest.mark.django_db

BOARD = test_templates.BOARD


@pytest.fixture
def wire(settings: Settings) -> Wire:
    settings.DEVICE_TEMPLATES = [str(test_templates.HERE), "/nowhere"]
    return Wire()


def ask(wire: Wire, alice: User, **top: Any) -> tuple[Job, int, dict[str, Any]]:
    """A job is submitted and scheduled, and its worker pings and fetches what it was told to start."""
    job = lifecycle.submit(build.definition(**top), by=alice)
    scheduler.run_once()
    _, orders = wire.ping("worker01", build.worker_token(), version="2023.01")
    assert [order["id"] for order in orders["start"]] == [job.pk]
    status, answer = wire.fetch(job.pk, token_of(job.pk, 1))
    return Job.objects.get(pk=job.pk), status, answer


def test_a_worker_gets_the_dictionary_rendered_with_the_job_s_context(wire: Wire, alice: User) -> None:
    build.device(dictionary=BOARD)

    _, status, files = ask(wire, alice, context={"memory": 1024, "arch": "aarch64"})

    assert status == 200
    parameters = yaml.safe_load(files["device"])["actions"]["boot"]["methods"]["qemu"]["parameters"]
    assert parameters == {"command": "qemu-system-aarch64", "options": ["-m 1024"]}


@pytest.mark.parametrize(
    ("dictionary", "says"),
    [
        ("{% extends 'gone.jinja2' %}", "there is no template gone.jinja2 in"),
        ("{% extends 'base.jinja2' %}", "actions: is missing: the dispatcher can do nothing"),
        (BOARD + "{% set arch = 'x\n  - y' %}", "not valid YAML"),
        (BOARD + "{% set failure_retry = '{' %}", "not valid YAML"),
        (
            BOARD + "{% set power_on_command = 7 %}",
            "commands.power_on: expected a command, or a list of commands",
        ),
    ],
)
def test_a_device_that_cannot_be_rendered_is_bad_and_its_job_ends_with_the_reason(
    wire: Wire, alice: User, dictionary: str, says: str
) -> None:
    build.device(dictionary=dictionary)

    job, status, answer = ask(wire, alice)

    device = Device.objects.get()
    assert (status, job.state, job.health) == (404, State.FINISHED, Health.INCOMPLETE)
    assert (job.error_type, device.health, device.state) == (
        "Configuration",
        DeviceHealth.BAD,
        DeviceState.IDLE,
    )
    for text in (job.failure_comment, device.health_reason, answer["error"]):
        assert "the configuration of qemu01 cannot be used" in text
        assert says in text


def test_a_job_whose_own_context_cannot_be_rendered_ends_and_its_device_stays_good(
    wire: Wire, alice: User
) -> None:
    build.device(dictionary=BOARD)

    job, status, _ = ask(wire, alice, context={"arch": "arm64", "kernel_start_message": "{ [not yaml"})

    assert (status, job.state, job.error_type) == (404, State.FINISHED, "Job")
    assert "with the job's context, the configuration of qemu01 cannot be used" in job.failure_comment
    assert Device.objects.get().health == DeviceHealth.GOOD


def test_a_server_that_dies_before_the_job_has_ended_ends_it_when_the_worker_asks_again(
    wire: Wire, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    build.device(dictionary="{% extends 'gone.jinja2' %}")

    def die(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(lifecycle, "finish", die)
        with pytest.raises(KeyboardInterrupt):
            ask(wire, alice)

    job = Job.objects.get()
    assert job.state == State.SCHEDULED
    assert wire.fetch(job.pk, token_of(job.pk, 1))[0] == 404
    assert Job.objects.get().state == State.FINISHED


def test_a_job_that_may_be_tried_again_goes_to_another_device(wire: Wire, alice: User) -> None:
    build.device("qemu01", dictionary="{% extends 'gone.jinja2' %}")

    job, _, _ = ask(wire, alice, lava_lite={"retry": {"attempts": 2, "delay": {"seconds": 1}}})

    assert (job.state, job.attempt) == (State.SUBMITTED, 2)
    assert Device.objects.get().health == DeviceHealth.BAD


@pytest.mark.parametrize(
    "dictionary", [BOARD, (Path(test_templates.HERE) / "base.jinja2").read_text(encoding="utf-8")]
)
def test_no_line_break_of_a_context_reaches_a_template(wire: Wire, alice: User, dictionary: str) -> None:
    build.device(dictionary=dictionary)

    for value in ("x\ncommands: {power_on: reboot}", ["a\u2028b"]):
        faults = lifecycle.check(build.definition(context={"kernel_start_message": value}), by=alice)
        assert "expected text without line breaks" in str(faults[0])


FILES = {
    "env": "purge: true\noverrides: {PATH: /usr/bin}\n",
    "env_dut": "removes: [LANG]\n",
}


def test_a_worker_gets_its_own_files_else_those_of_the_lab_else_none(
    wire: Wire, alice: User, settings: Settings, tmp_path: Path
) -> None:
    settings.WORKER_FILES = tmp_path
    build.worker(env=FILES["env"])
    build.device()
    (tmp_path / "env.yaml").write_text("purge: false")
    (tmp_path / "env-dut.yaml").write_text(FILES["env_dut"])

    _, _, files = ask(wire, alice)

    assert files["env"] == FILES["env"]
    assert files["env-dut"] == FILES["env_dut"]
    assert files["dispatcher"] == ""


@pytest.mark.parametrize(
    "text", ["null", "[a]", "purge: 1", "overrides: {PATH: 7}", "a: b: c", "purgee: true"]
)
def test_a_file_that_would_end_the_worker_never_reaches_it(
    wire: Wire, alice: User, settings: Settings, tmp_path: Path, text: str
) -> None:
    settings.WORKER_FILES = tmp_path
    (tmp_path / "env.yaml").write_text(text)
    build.device()

    job, status, _ = ask(wire, alice)

    assert (status, job.state, job.error_type) == (404, State.FINISHED, "Configuration")
    assert f"{tmp_path}/env.yaml cannot be used" in job.failure_comment
    assert Device.objects.get().health == DeviceHealth.UNKNOWN


def test_names_of_the_submitter_s_tokens_become_the_tokens_for_the_worker_alone(
    wire: Wire, alice: User, bob: User
) -> None:
    RemoteToken.objects.create(user=alice, name="store", secret="hush")
    RemoteToken.objects.create(user=bob, name="other", secret="bobs")
    build.device()
    headers = {"PRIVATE-TOKEN": "store", "Accept": "text/plain"}
    artifact = {"url": "https://store/disk.img", "headers": headers}
    actions = [
        {"deploy": {"to": "tmpfs", "images": {"rootfs": artifact}}},
        {"deploy": {"to": "tftp", "kernel": artifact, "note": {"headers": headers}}},
        {"boot": {"method": "qemu", "kernel": artifact}},
    ]

    job, _, files = ask(wire, alice, actions=actions, secrets={"STORE": "store", "OTHER": "other", "PIN": 7})

    sent = yaml.safe_load(files["definition"])
    filled = {"PRIVATE-TOKEN": "hush", "Accept": "text/plain"}
    assert sent["secrets"] == {"STORE": "hush", "OTHER": "other", "PIN": 7}
    assert sent["actions"][0]["deploy"]["images"]["rootfs"]["headers"] == filled
    assert sent["actions"][1]["deploy"]["kernel"]["headers"] == filled
    assert sent["actions"][1]["deploy"]["note"]["headers"] == headers
    assert sent["actions"][2]["boot"]["kernel"]["headers"] == headers
    assert "hush" not in job.definition
