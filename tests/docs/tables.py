"""The tables of the documentation that are made from the code. `python -m tests.docs.tables` writes them anew."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import django

from core.words import Word
from devices.states import DeviceHealth, DeviceState, WorkerHealth, WorkerState
from events import contract, payloads
from events.catalogue import CATALOGUE, EventType
from events.payloads import Family, Field
from events.selection import NAMES
from jobs.states import MOVES, Health, Move, State
from lava_lite import cli
from lava_lite.client import exits
from lava_lite.client.grammar import SERVER, Argument
from lava_lite.options import OPTIONS

DOCS = Path(__file__).resolve().parents[2] / "docs"
PLACE = re.compile(r"(<!-- table: (?P<name>[^>]+) -->\n).*?(<!-- end of table -->)", re.DOTALL)

LOOKUPS = ("in", "lt", "gt", "isnull", "contains", "icontains", "startswith", "endswith")
COMMON = {name for argument in SERVER for name in argument.names}

# By the kind and not by the word alone: words of different kinds are equal if their numbers are.
MEANINGS: dict[type[Word], tuple[str, ...]] = {
    State: (
        "waits in the queue",
        "has a device, and waits for the other jobs of its group",
        "has a device; its worker has not confirmed the start yet",
        "runs",
        "was asked to stop; its worker has not confirmed yet",
        "is over",
    ),
    DeviceState: ("nobody uses it", "a job has it, and has not begun yet", "a job runs on it"),
    DeviceHealth: (
        "in order",
        "not known to be in order: checked before anything else, or used where there is no check",
        "runs its health check again and again",
        "failed its health check",
        "taken out by a person",
        "gone for good, kept for its history",
    ),
    WorkerState: ("asks for work", "has not asked for work for a minute"),
    WorkerHealth: ("gets jobs", "gets no new jobs", "gone for good"),
}


def settings() -> str:
    rows = [(_code(option.name), _code(_written(option.default)), option.help) for option in OPTIONS]
    return _table(("setting", "default", "meaning"), rows)


def metrics() -> str:
    # It counts models, which are read with Django's settings only.
    from lava_lite.health.metrics import METRICS

    rows = [
        (_code(each.name), each.kind, ", ".join(map(_code, each.labels)), each.of, each.help)
        for each in METRICS
    ]
    return _table(("metric", "kind", "labels", "of the", "meaning"), rows)


def events() -> str:
    rows = [
        (
            _code(entry.name),
            _since(entry.fires, entry.since),
            f"[{entry.family.name}](#{entry.family.name})",
            _code(entry.lava),
            *map(_code, (entry.core4, entry.pulp, entry.lambdacd)),
        )
        for entry in CATALOGUE.values()
    ]
    return _table(("type", "fires when", "payload", "LAVA", "core4", "Pulp", "LambdaCD"), rows)


def payload(family: Family) -> str:
    """Every key that events of a family may have."""
    types = [entry for entry in CATALOGUE.values() if entry.family is family]
    fields = payloads.merged(*(entry.payload for entry in types))
    rows = [
        (_code(field.name), _kind(field), _presence(field.name, types), _since(field.meaning, field.since))
        for field in fields
    ]
    return _table(("key", "what it is", "told", "meaning"), rows)


def attributes() -> str:
    schema = contract.envelope()
    rows = [
        (_code(name), "always" if name in schema["required"] else "sometimes", _attribute(value))
        for name, value in schema["properties"].items()
    ]
    return _table(("attribute", "told", "meaning"), rows)


def filters() -> str:
    return _table(("name", "what it is"), [(_code(name), known.meaning) for name, known in NAMES.items()])


def words(kind: type[Word]) -> str:
    rows = [
        (str(word.value), word.label, meaning) for word, meaning in zip(kind, MEANINGS[kind], strict=True)
    ]
    return _table(("number", "word", "meaning"), rows)


def moves() -> str:
    rows = [
        (_start(move), move.verb, _end(move), ", ".join(map(_code, move.events)), _device(move))
        for move in MOVES
    ]
    return _table(("from", "by", "to", "events", "its device becomes"), rows)


def problems() -> str:
    # It knows the errors of models, which are read with Django's settings only.
    from api.errors import kinds

    rows = [(str(kind.status), _code(kind.slug), kind.title, kind.remedy) for kind in kinds()]
    return _table(("status", "type", "what", "what to do"), rows)


def drawing() -> str:
    lines = [f"    {_node(move.source)} --> {_node(move.target)}: {_label(move)}" for move in MOVES]
    return "\n".join(["```mermaid", "stateDiagram-v2", *dict.fromkeys(lines), "```"]) + "\n"


def rest_filters() -> str:
    lists = {route: view for route, view in rest_views().items() if hasattr(view, "is_list")}
    return _table(("list", "filters", "order"), [_filters_of(route, view) for route, view in lists.items()])


def commands() -> str:
    """Every command with its arguments, by its parser; those of the server, which many have, are told once."""
    sections = [_command(parser) for parser in leaves(cli.make_parser())]
    return "\n".join(sections)


def server_options() -> str:
    return _table(
        ("option", "meaning"), [(_code(_names(argument)), argument.options["help"]) for argument in SERVER]
    )


def exit_codes() -> str:
    return _table(
        ("code", "meaning"), [(str(code.value), meaning) for code, meaning in exits.MEANINGS.items()]
    )


def leaves(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """The commands below a parser, in the order of its help."""
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not groups:
        return [parser]
    return [leaf for group in groups for below in group.choices.values() for leaf in leaves(below)]


TABLES: dict[str, Callable[[], str]] = {
    "settings": settings,
    "metrics": metrics,
    "events": events,
    "attributes": attributes,
    "filters": filters,
    **{f"{family.name} payload": partial(payload, family) for family in payloads.FAMILIES},
    "moves": moves,
    "problems": problems,
    "drawing": drawing,
    "rest filters": rest_filters,
    "job states": lambda: words(State),
    "device states": lambda: words(DeviceState),
    "device healths": lambda: words(DeviceHealth),
    "worker states": lambda: words(WorkerState),
    "worker healths": lambda: words(WorkerHealth),
    "commands": commands,
    "server options": server_options,
    "exit codes": exit_codes,
}


def places(text: str) -> list[str]:
    """The names of the tables that a document has room for."""
    return [found["name"] for found in PLACE.finditer(text)]


def filled(text: str) -> str:
    """The document with its tables as they are to be."""
    return PLACE.sub(lambda found: f"{found[1]}\n{TABLES[found['name']]()}\n{found[3]}", text)


def write_all() -> None:
    for path in DOCS.glob("*.md"):
        path.write_text(filled(path.read_text()))


def rest_views() -> dict[str, Any]:
    from api.urls import rest_urls  # it needs Django, which the other tables do without

    return dict(_views(rest_urls, ""))


def _views(patterns: Iterable[Any], before: str) -> Iterator[tuple[str, Any]]:
    """The views of REST v0.2 by their addresses, as people write them."""
    for entry in patterns:
        route = before + re.sub(r"<\w+:(\w+)>", r"<\1>", str(entry.pattern))
        if hasattr(entry, "url_patterns"):
            yield from _views(entry.url_patterns, route)
        elif route.endswith("/"):
            yield route, entry.callback.view_class


def _filters_of(name: str, view: Any) -> tuple[str, str, str]:
    lookups = {known for known in view.filters if known.rpartition("__")[2] in LOOKUPS}
    exact = [known for known in view.filters if known not in lookups]
    alone = sorted(known for known in lookups if known.rpartition("__")[0] not in view.filters)
    return _code(name), ", ".join(map(_code, [*exact, *alone])), ", ".join(map(_code, view.orderings))


def _command(parser: argparse.ArgumentParser) -> str:
    rows = [
        (_code(" ".join(filter(None, [", ".join(action.option_strings), _metavar(action)]))), _help(action))
        for action in parser._actions
        if action.dest != "help" and not set(action.option_strings) & COMMON
    ]
    table = _table(("argument", "meaning"), rows) if rows else ""
    examples = (parser.epilog or "").removeprefix("examples:\n").replace("\n  ", "\n").strip()
    parts = [
        f"### {parser.prog}\n",
        f"{parser.description}\n" if parser.description else "",
        table,
        f"```sh\n{examples}\n```\n" if examples else "",
    ]
    return "\n".join(filter(None, parts))


def _metavar(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    name = action.metavar or "|".join(action.choices or ())
    return f"{name} …" if action.nargs == "+" else str(name)


def _help(action: argparse.Action) -> str:
    return str(action.help).replace("%(default)s", str(action.default))


def _names(argument: Argument) -> str:
    return " ".join(filter(None, [", ".join(argument.names), argument.options.get("metavar")]))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _code(text: str | None) -> str:
    return f"`{text}`" if text else ""


def _written(value: Any) -> str:
    """As it is written in the environment."""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, list) else str(value)


def _kind(field: Field) -> str:
    kind = " \\| ".join(map(_code, field.words)) if field.words else field.kind.value
    return f"{kind}, or null" if field.or_null else kind


def _presence(name: str, types: Sequence[EventType]) -> str:
    """What holds for most types of a family, and then for the others."""
    kinds: dict[str, list[str]] = {"always": [], "sometimes": [], "never": []}
    for entry in types:
        field = {field.name: field for field in entry.payload}.get(name)
        kinds["never" if field is None else "always" if field.always else "sometimes"].append(entry.name)
    usual = max(kinds, key=lambda kind: len(kinds[kind]))
    others = [
        f"{kind} in {', '.join(map(_code, kinds[kind]))}" for kind in kinds if kind != usual and kinds[kind]
    ]
    return "; ".join([usual, *others] if usual != "never" else others)


def _since(text: str, version: str) -> str:
    return text if version == payloads.FIRST else f"{text} (since {version})"


def _attribute(value: contract.Schema) -> str:
    if "const" in value:
        return f"always {_code(value['const'])}"
    words = ", ".join(map(_code, value.get("enum", ())))
    return f"{value['description']}: {words}" if words else str(value["description"])


def _start(move: Move) -> str:
    return "nothing" if move.source is None else move.source.label


def _end(move: Move) -> str:
    if move.ends_attempt:
        return f"{move.target.label}, for another attempt"
    return move.target.label if move.health is Health.UNKNOWN else f"{move.target.label}, {move.health.label}"


def _device(move: Move) -> str:
    if move.closes:
        return "closed, its state as it was"
    return "" if move.device is None else move.device.label


def _node(state: State | None) -> str:
    return "[*]" if state is None else state.label


def _label(move: Move) -> str:
    why = move.health.label if move.health is not Health.UNKNOWN else move.requeue
    return f"{move.verb} ({why})" if why else move.verb


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lava_lite.settings")
    django.setup()
    write_all()
