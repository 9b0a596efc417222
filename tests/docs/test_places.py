"""The table of where people make a move (docs/states.md) leads to places that exist, and leaves out no move."""

from __future__ import annotations

import re

import pytest
from django.contrib import admin
from django.urls import ResolverMatch, resolve

from api.v1.base import Nothing
from api.xmlrpc.methods import METHODS
from devices.models import Device
from jobs.models import Job
from jobs.states import MOVES
from lava_lite.client import grammar
from tests.docs import tables

# What people have no button for: these moves follow from what a worker, the scheduler or the clock does.
OF_THE_LAB = {"schedule", "start", "finish", "end_overdue", "inactivate"}


def _rows() -> list[list[str]]:
    page = (tables.DOCS / "states.md").read_text()
    section = page.partition("### Who makes a move, and where")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


ROWS = _rows()
VERBS = [row[0] for row in ROWS]


def _column(number: int) -> list[str]:
    return [name for row in ROWS for name in re.findall(r"`([^`]+)`", row[number])]


def _found(address: str) -> ResolverMatch:
    return resolve(address.replace("/N/", "/1/").replace("/D/", "/qemu01/"))


def test_every_move_that_people_make_has_a_row() -> None:
    of_people = {move.verb for move in MOVES} - OF_THE_LAB

    assert [verb for verb in of_people if not re.search(rf"\b{verb}\b", " ".join(VERBS))] == []


@pytest.mark.parametrize("address", _column(1))
def test_every_page_is_there(address: str) -> None:
    assert _found(address).url_name


@pytest.mark.parametrize("address", _column(2))
def test_every_address_of_rest_is_there(address: str) -> None:
    assert getattr(_found(f"/api/v1/{address}").func, "view_class", None) is not Nothing


@pytest.mark.parametrize("name", _column(3))
def test_every_method_of_xmlrpc_is_there(name: str) -> None:
    assert name in METHODS


@pytest.mark.parametrize("words", _column(4))
def test_every_command_is_there(words: str) -> None:
    assert words in {command.words for command in grammar.COMMANDS}


@pytest.mark.parametrize("title", [title for row in ROWS for title in row[5].split(", ") if title])
def test_every_action_of_the_admin_site_is_there(title: str) -> None:
    actions = [
        action
        for model in (Job, Device)
        for action in admin.site._registry[model].actions or ()
        if callable(action)
    ]

    assert title in {getattr(action, "short_description", "") for action in actions}
