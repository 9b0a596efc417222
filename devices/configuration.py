"""The configuration of a device: its dictionary as a worker gets it, rendered and checked. Settings, no ORM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from core import yaml
from core.faults import Fault
from devices import dictionary, dispatcher, templates
from devices.dictionary import DISPATCHER, InvalidDictionary
from devices.templates import Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    text: str
    origin: Origin | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A configuration for people: with where each line comes from, and all that is wrong with it."""

    is_template: bool
    lines: Sequence[Line] = ()
    faults: Sequence[str] = ()  # a worker gets nothing while there are any
    warnings: Sequence[Fault] = ()

    @property
    def text(self) -> str:
        return "\n".join(line.text for line in self.lines)


def check(text: str, context: Mapping[str, Any] | None = None) -> None:
    """InvalidDictionary unless a worker could be given what this dictionary says; for a job with that context."""
    render(text, context or {})


def render(text: str, context: Mapping[str, Any]) -> str:
    """The YAML that a dictionary means for a job with that context. InvalidDictionary has all that is wrong with it."""
    rendered = _rendered(text, context).text
    _check(rendered, is_template=templates.is_template(text))
    return rendered


def for_worker(text: str, context: Mapping[str, Any]) -> str:
    """`render` without what is for people only."""
    return dictionary.for_worker(render(text, context))


def show(text: str, context: Mapping[str, Any]) -> Shown:
    is_template = templates.is_template(text)
    try:
        rendered = _rendered(text, context, trace=True)
    except InvalidDictionary as wrong:
        return Shown(is_template=is_template, faults=str(wrong).splitlines())
    lines = _lines(rendered)
    try:
        document = _check(rendered.text, is_template=is_template)
    except InvalidDictionary as wrong:
        return Shown(is_template=is_template, lines=lines, faults=str(wrong).splitlines())
    value = document.value
    is_for_dispatcher = value and value.get("executor", DISPATCHER) == DISPATCHER
    warnings = dispatcher.warnings(document) if is_for_dispatcher else ()
    return Shown(is_template=is_template, lines=lines, warnings=warnings)


def directories() -> list[Path]:
    """Where templates are looked for, in this order; what is not there is left out."""
    return [path for path in map(Path, settings.DEVICE_TEMPLATES) if path.is_dir()]


def _rendered(text: str, context: Mapping[str, Any], *, trace: bool = False) -> templates.Rendered:
    if not templates.is_template(text):
        return templates.Rendered(text=text, origins=None)
    return templates.render(text, context, directories(), trace=trace)


def _check(text: str, *, is_template: bool) -> yaml.Document:
    """Templates repeat keys, and count on the last one; a person who does so by hand has made a mistake."""
    dictionary.check(text, last_wins=is_template)
    document = yaml.parse(text, last_wins=is_template)
    if document.value is None:
        if is_template:
            raise InvalidDictionary("renders to nothing: does it extend a template?")
        return document
    faults = dispatcher.faults(document)
    if is_template and "actions" not in document.value and "executor" not in document.value:
        message = (
            "is missing: the dispatcher can do nothing; does the dictionary extend a device type's template?"
        )
        faults.append(Fault(path="actions", message=message, line=None))
    if faults:
        raise InvalidDictionary("\n".join(map(str, faults)))
    return document


def _lines(rendered: templates.Rendered) -> list[Line]:
    texts = rendered.text.split("\n")
    origins = rendered.origins or [None] * len(texts)
    lines = [Line(text=text, origin=origin) for text, origin in zip(texts, origins, strict=True)]
    if rendered.origins is None:
        return lines
    return [line for line in lines if line.text.strip()]  # blocks leave many empty ones
