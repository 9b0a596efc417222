"""Dictionaries that are Jinja2 templates: what they render to, where it comes from, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from devices import templates
from devices.dictionary import InvalidDictionary
from devices.templates import Origin

HERE = Path(__file__).with_name("templates")
BOARD = "{% extends 'board.jinja2' %}\n{% set power_on_command = 'pdu on 3' %}\n"


def render(text: str, **context: Any) -> dict[str, Any]:
    rendered: dict[str, Any] = yaml.safe_load(templates.render(text, context, [HERE]).text)
    return rendered


def fault_of(text: str, directories: tuple[Path, ...] = (HERE,), **context: Any) -> str:
    with pytest.raises(InvalidDictionary) as caught:
        templates.render(text, context, directories)
    return str(caught.value)


@pytest.mark.parametrize("text", [BOARD, "# qemu01\n" + BOARD, "{# of the shelf #}\n" + BOARD])
def test_a_text_with_blocks_is_a_template(text: str) -> None:
    assert templates.is_template(text)


@pytest.mark.parametrize("text", ["", "executor: shell", "power_on: 'echo {% raw %}'", "a: {b: {c: d}}"])
def test_plain_yaml_is_none(text: str) -> None:
    assert not templates.is_template(text)


def test_a_dictionary_is_rendered_as_a_child_of_its_type_s_template() -> None:
    device = render(BOARD)

    assert device["commands"] == {"power_on": "pdu on 3"}
    assert device["actions"]["boot"]["methods"]["qemu"]["parameters"]["options"] == ["-m 512"]
    assert device["constants"]["default-shell-prompt"] == "# "


def test_the_context_of_a_job_wins_over_a_template_and_the_dictionary_over_both() -> None:
    own = BOARD + "{% set memory = 128 %}\n"
    context = {"memory": 1024, "arch": "aarch64", "extra_options": ["-nographic"]}

    asked, kept = render(BOARD, **context), render(own, **context)

    of = ("actions", "boot", "methods", "qemu", "parameters")
    for key in of:
        asked, kept = asked[key], kept[key]
    assert asked == {"command": "qemu-system-aarch64", "options": ["-m 1024", "-nographic"]}
    assert kept["options"] == ["-m 128", "-nographic"]


def test_each_line_tells_where_it_comes_from() -> None:
    rendered = templates.render(BOARD, {"memory": 1024}, [HERE], trace=True)

    assert rendered.origins is not None
    origins = dict(zip(map(str.strip, rendered.text.split("\n")), rendered.origins, strict=True))
    assert origins["power_on: pdu on 3"] == Origin(
        template="base.jinja2", line=12, from_dictionary=(("power_on_command", 2),)
    )
    assert origins["- -m 1024"] == Origin(template="board.jinja2", line=14, from_job=("memory",))
    assert origins["command: qemu-system-x86_64"] == Origin(template="board.jinja2", line=12)
    assert origins["command: qemu-system-x86_64"].is_default
    assert not origins["power_on: pdu on 3"].is_default


def test_a_template_that_is_nowhere_is_named_with_the_places_where_it_was_looked_for() -> None:
    fault = fault_of("{% extends 'bord.jinja2' %}")

    assert fault == f"dictionary, line 1: there is no template bord.jinja2 in {HERE}"
    assert "name some in DEVICE_TEMPLATES" in fault_of(BOARD, ())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{% extends 'board.jinja2' %}\n{% set x = %}", "dictionary, line 2: Expected an expression"),
        (
            "{% extends 'board.jinja2' %}\n{% block body %}\n{{ 1 // 0 }}{% endblock %}",
            "dictionary, line 3: Zero",
        ),
        ("{% extends '../test_templates.py' %}", "there is no template ../test_templates.py"),
        ("{% extends 'dictionary' %}", "RecursionError"),
        ("{% set x = ''.__class__.__mro__ %}\na: {{ x }}", "is unsafe"),
        ("{% set x = [] %}{% set y = x.append(1) %}\na: {{ y }}", "is unsafe"),
    ],
)
def test_what_cannot_be_rendered_is_told_with_its_place(text: str, says: str) -> None:
    assert says in fault_of(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
            "too long to render",
        ),
        ("{% for a in range(99999) %}\n- {{ 'x' * 1000 }}\n{% endfor %}", "more than 1,000,000 characters"),
        ("{% set x = 'x' * 9999999999 %}\na: {{ x }}", "512 MB of memory"),
    ],
)
def test_a_template_without_end_is_given_up(text: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(templates, "SECONDS", 1 if "too long" in says else 60)

    assert says in fault_of(text)


def test_the_program_that_renders_sees_nothing_of_the_server_s_environment(monkeypatch: Any) -> None:
    monkeypatch.setenv("LAVA_SECRET", "hush")
    escaped = "{{ self.__init__.__globals__ }}"

    assert "hush" not in fault_of("{% if true %}{% endif %}\n" + escaped)
