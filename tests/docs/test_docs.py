"""The documentation says what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import Token
from devices.states import DeviceHealth, WorkerState
from events import lava, selection
from events.models import Event, Webhook
from events.webhooks import signatures
from jobs import definition as definitions
from jobs import multinode
from jobs.models import Job
from tests import build
from tests.docs import tables
from tests.events import checking

ROOT = tables.DOCS.parent
PAGES = sorted([*tables.DOCS.glob("*.md"), ROOT / "README.md", ROOT / "CHANGELOG.md"])
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")


def first_column(page: str) -> set[str]:
    """The names in the first column of a page's tables."""
    return {
        name
        for cell in re.findall(r"^\| (.*?) \|", page, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", cell)
    }


def test_every_table_is_as_the_code_says() -> None:
    stale = [page.name for page in PAGES if page.read_text() != tables.filled(page.read_text())]

    assert stale == [], "write them anew with: .venv/bin/python -m tests.docs.tables"


def test_a_table_explains_the_words_of_its_own_kind() -> None:
    assert "| 4 | Maintenance | taken out by a person |" in tables.words(DeviceHealth)
    assert "| 1 | Offline | has not asked for work for a minute |" in tables.words(WorkerState)


def test_every_table_has_a_place() -> None:
    found = [name for page in PAGES for name in tables.places(page.read_text())]

    assert sorted(found) == sorted(tables.TABLES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    lost = [target for target in LINK.findall(page.read_text()) if not (page.parent / target).exists()]

    assert lost == []


def test_every_page_is_reached_from_the_readme() -> None:
    linked = set(LINK.findall((ROOT / "README.md").read_text()))

    assert {f"docs/{page.name}" for page in tables.DOCS.glob("*.md")} <= linked


def test_the_readme_fits_on_a_screen() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 70


def test_the_cloud_event_that_is_shown_is_valid() -> None:
    (shown,) = re.findall(r"```json\n(.*?)```", (tables.DOCS / "events.md").read_text(), re.DOTALL)

    assert checking.faults_in_cloud_event(json.loads(shown)) == []


def test_a_message_has_the_five_frames_that_are_explained(db: None) -> None:
    build.job()

    frames = lava.frames(Event.objects.get(type="job.submitted"))

    assert frames is not None
    topic, _, time, user, payload = frames
    assert topic == "org.lavasoftware.testjob"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}", time)
    assert user == "alice"
    assert '"event": "job.submitted"' in payload


def test_every_address_of_rest_is_explained_with_its_methods() -> None:
    page = (tables.DOCS / "rest-v0.2.md").read_text().split("## Addresses")[1].split("## Filters")[0]
    explained = dict(re.findall(r"^\| `(\S+)` \| ([A-Z, ]+) \|", page, re.MULTILINE))

    taken = {
        route: ", ".join(method for method in METHODS if hasattr(view, method.lower()))
        for route, view in tables.rest_views().items()
        if route
    }
    assert explained == taken


def test_the_definition_that_is_shown_can_be_submitted_to_a_local_device() -> None:
    page = (tables.DOCS / "job-definitions.md").read_text()
    shown = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)

    definition = definitions.parse(shown[0])

    assert definitions.faults_for_executor(definition, definitions.SHELL) == []


def test_the_group_that_is_shown_can_be_run_by_local_devices() -> None:
    page = (tables.DOCS / "job-definitions.md").read_text().split("## Several devices")[1]
    shown = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)

    members = multinode.split(definitions.parse(shown[0]), uuid4())

    assert [member.role for member in members] == ["server", "client", "client"]
    for member in members:
        assert definitions.faults_for_executor(member.definition, definitions.SHELL) == []


def test_every_key_of_a_role_is_explained() -> None:
    page = (
        (tables.DOCS / "job-definitions.md").read_text().split("## Several devices")[1].split("## Results")[0]
    )
    example = (ROOT / "examples" / "two-roles.yaml").read_text()
    with pytest.raises(definitions.InvalidDefinition) as refused:
        definitions.parse(example.replace("essential", "zzzzzzzz"))
    (fault,) = refused.value.faults

    assert first_column(page) == set(fault.message.partition("expected one of ")[2].split(", "))


def test_the_reservation_that_is_shown_is_one(db: None) -> None:
    page = (tables.DOCS / "reservations.md").read_text()
    shown = re.findall(r"-d '(\{.*\})' http://127.0.0.1:8000(\S+)", page)
    build.device("local-01", device_type="local", dictionary="executor: shell\n")

    answer = APIClient(HTTP_AUTHORIZATION=f"Token {Token.objects.issue(build.user('alice'))}").post(
        shown[0][1], json.loads(shown[0][0]), format="json"
    )

    assert answer.status_code == 201
    assert Job.objects.get().is_reservation


def test_every_key_of_a_definition_is_explained() -> None:
    page = (
        (tables.DOCS / "job-definitions.md").read_text().split("## The top level")[1].split("## Actions")[0]
    )
    explained = first_column(page)
    with pytest.raises(definitions.InvalidDefinition) as refused:
        definitions.parse("zzzzzzzzzz: 1")
    known = next(fault.message for fault in refused.value.faults if "expected one of" in fault.message)

    assert explained == set(known.partition("expected one of ")[2].split(", "))


def test_the_program_that_checks_a_signature_is_right(alice: User) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", (tables.DOCS / "webhooks.md").read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(program, names)
    webhook = Webhook(user=alice)
    signed = signatures.headers(webhook.uuid, [2, 1], id="1", body=b"{}", at=timezone.now())

    assert names["is_from_the_lab"](webhook.secret, signed, b"{}")
    assert not names["is_from_the_lab"](webhook.secret, signed, b"{ }")


def test_every_name_in_a_filter_is_explained() -> None:
    page = (tables.DOCS / "webhooks.md").read_text()

    assert all(f"`{name}`" in page or f"`{name}=" in page for name in selection.NAMES)
