"""The page that explains the APIs to people."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest
from django.test import Client

from api.errors import kinds
from api.openapi.documents import document
from api.openapi.reference import Operation, Reference

PAGES = {"v1": "/api/docs/", "v0.2": "/api/docs/v0.2/"}
LAB = "http://lab.example"


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.levels: list[int] = []
        self.styled: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.ids += [given["id"] or ""] if "id" in given else []
        self.links += [given["href"] or ""] if tag == "a" else []
        self.levels += [int(tag[1])] if re.fullmatch(r"h[1-6]", tag) else []
        self.styled += [tag] if "style" in given or tag == "style" else []


def page(client: Client, version: str) -> Page:
    answer = client.get(PAGES[version])
    assert answer.status_code == 200
    return Page(answer.content.decode())


def operation(method: str, path: str, version: str = "v1") -> Operation:
    groups = Reference.of(version, LAB).groups
    found = [
        each for group in groups for each in group.operations if (each.method, each.path) == (method, path)
    ]
    return found[0]


@pytest.mark.parametrize("version", PAGES)
def test_every_operation_has_a_place_that_can_be_linked(client: Client, db: None, version: str) -> None:
    shown = page(client, version)
    anchors = [each.anchor for group in Reference.of(version, LAB).groups for each in group.operations]
    described = [method for item in document(version)["paths"].values() for method in item]

    assert len(anchors) == len(described)
    assert set(anchors) <= set(shown.ids)
    assert len(shown.ids) == len(set(shown.ids))
    assert {link[1:] for link in shown.links if link.startswith("#")} <= set(shown.ids)


@pytest.mark.parametrize("version", PAGES)
def test_headings_are_in_order_and_nothing_is_styled_in_place(client: Client, db: None, version: str) -> None:
    shown = page(client, version)

    levels = shown.levels[shown.levels.index(1) :]  # a dialog of every page stands before
    assert all(below - above <= 1 for above, below in pairwise(levels))
    assert shown.styled == []


def test_every_kind_of_problem_is_explained(client: Client, db: None) -> None:
    assert {f"problem-{kind.slug}" for kind in kinds()} <= set(page(client, "v1").ids)


def test_the_versions_and_the_raw_descriptions_are_linked(client: Client, db: None) -> None:
    links = page(client, "v0.2").links

    assert set(PAGES.values()) <= set(links)
    assert client.get(next(link for link in links if link.endswith("openapi.json"))).status_code == 200


def test_a_command_is_ready_to_be_run() -> None:
    assert operation("GET", "/api/v1/jobs/{job}/").curl == f"curl {LAB}/api/v1/jobs/812/"
    assert operation("POST", "/api/v1/jobs/").curl == (
        'curl -X POST -H "Authorization: Token $TOKEN" -H "Content-Type: application/yaml"'
        f" --data-binary @job.yaml {LAB}/api/v1/jobs/"
    )
    assert operation("POST", "/api/v1/devices/{name}/health/").curl.endswith(
        f"""-d '{{"health": "Good"}}' {LAB}/api/v1/devices/qemu01/health/"""
    )


def test_who_may_is_told_in_words() -> None:
    assert operation("GET", "/api/v1/system/").who == "Open to everybody."
    assert operation("GET", "/api/v1/jobs/").who.startswith("Open to everybody; a token (for read")
    assert operation("POST", "/api/v1/jobs/").who.startswith("Takes a token for submit or more")


@pytest.mark.parametrize(
    ("path", "keys"),
    [("/api/v1/jobs/", {"items", "next", "previous"}), ("/api/v1/jobs/{job}/", {"id", "uuid", "results"})],
)
def test_an_example_has_the_keys_of_an_answer(path: str, keys: set[str]) -> None:
    example: dict[str, Any] = json.loads(operation("GET", path).answers[0].example)

    assert keys <= set(example)
