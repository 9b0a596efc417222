"""What is accepted and probably a mistake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jobs import definition as definitions
from jobs import strictness
from tests import build

GOOD = [
    {"deploy": {"to": "tmpfs", "images": {"rootfs": {"url": "https://files/disk.img"}}, "os": "debian"}},
    {"boot": {"method": "qemu", "media": "tmpfs", "prompts": ["#"], "timeout": {"minutes": 2}}},
    {"test": {"interactive": [{"name": "a", "prompts": ["#"], "script": []}]}},
    {"command": {"name": "power_off"}},
]


def warnings_of(actions: list[dict[str, Any]], **top: Any) -> list[str]:
    text = build.definition(actions=actions, **top)
    definitions.parse(text)  # no fault
    return [f"{warning.path}: {warning.message}" for warning in strictness.warnings(text)]


def test_what_lava_knows_is_no_warning() -> None:
    assert warnings_of(GOOD) == []
    assert strictness.warnings(build.definition()) == []


def test_every_warning_is_told_at_once_with_its_line() -> None:
    text = build.definition(
        actions=[
            {"deploy": {"to": "tmpfz", "images": {}}},
            {"boot": {"method": "u-boot", "promts": ["#"], "auto_login": {"login_prompt": "login:"}}},
        ]
    )

    found = [(warning.path, warning.message) for warning in strictness.warnings(text)]

    assert found == [
        ("actions[0].deploy.to", 'LAVA 2023.01 has no such method; did you mean "tmpfs"?'),
        ("actions[1].boot.commands", "is missing"),
        ("actions[1].boot.promts", 'LAVA 2023.01 does not know it here; did you mean "prompts"?'),
        ("actions[1].boot.auto_login.username", "is missing"),
    ]


@pytest.mark.parametrize(
    ("actions", "top", "says"),
    [
        ([{"deploy": {"images": {}}}], {}, "actions[0].deploy.to: is missing; expected one of docker"),
        ([{"boot": {"method": ["qemu"]}}], {}, "actions[0].boot.method: LAVA 2023.01 has no such method"),
        ([{"command": {"nme": "x"}}], {}, "actions[0].command.name: is missing"),
        (
            [*GOOD[:1], {"boot": {"method": "ssh", "connection": "ssh", "namespace": "a"}}],
            {},
            "actions[0].deploy.namespace: is missing: others have a namespace",
        ),
        (
            GOOD,
            {"notify": {"critera": {}}},
            'notify.critera: LAVA 2023.01 does not know it here; did you mean "criteria"?',
        ),
        (
            GOOD,
            {"timeouts": {"job": {"minutes": 5}, "actions": {"http-download": {"hours": 1}}}},
            "timeouts.actions.http-download: is longer than the whole job may take",
        ),
    ],
)
def test_a_probable_mistake_is_named(actions: list[dict[str, Any]], top: dict[str, Any], says: str) -> None:
    assert any(warning.startswith(says) for warning in warnings_of(actions, **top))


@pytest.mark.parametrize("path", sorted(Path("examples").glob("*.yaml")), ids=lambda path: path.stem)
def test_no_example_has_a_warning(path: Path) -> None:
    assert strictness.warnings(path.read_text(encoding="utf-8")) == []
