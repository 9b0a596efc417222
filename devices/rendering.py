"""Renders a device's dictionary that is a Jinja2 template: a program of its own, which may be killed at any time.

Templates come from an administrator, and the values in them from whoever submits a job. The sandbox keeps both from
Python, and the limits that this process sets itself from the memory and the time of the server. It reads one JSON
object from its input and writes one to its output:

    {"dictionary": text, "context": {name: value}, "directories": [path], "trace": bool}
    {"text": text, "lines": [{"template": name, "line": number, "variables": [[name, line or null]]}]}
    {"fault": text, "template": name or null, "line": number or null}

`lines` says of each line of the text which line of which template wrote it, and what of the dictionary (with the line
there) and of the job's context (null) it depends on. It is null without `trace`.
"""

from __future__ import annotations

import json
import re
import resource
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from jinja2 import BaseLoader, ChoiceLoader, FileSystemLoader, FunctionLoader, TemplateError, nodes
from jinja2.exceptions import TemplateNotFound, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

DICTIONARY = "dictionary"  # the name of the first template
CPU_SECONDS = 4
MAX_MEMORY = 512 * 1024 * 1024  # bytes of address space
MAX_LENGTH = 1_000_000  # characters of the rendered text

_MARK = re.compile("\x01([0-9]+):([0-9]+):([^\x02]*)\x02")
# What these write is not yet text of the device: filters may still change it, so nothing is marked in them.
_CAPTURES = (nodes.Macro, nodes.CallBlock, nodes.FilterBlock, nodes.AssignBlock)


class TooLong(Exception):
    """The rendered text has more characters than any device's configuration needs."""


class Environment(ImmutableSandboxedEnvironment):
    """LAVA's way of rendering: no escapes, and no line where there was nothing but a block."""

    def __init__(self, dictionary: str, directories: Iterable[str]) -> None:
        loaders: list[BaseLoader] = [
            FunctionLoader(lambda name: (dictionary, name, None) if name == DICTIONARY else None)
        ]
        loaders += [FileSystemLoader(directory) for directory in directories]
        super().__init__(loader=ChoiceLoader(loaders), trim_blocks=True, autoescape=False)


class TracingEnvironment(Environment):
    """Its text has a mark before whatever a line of a template writes; the text is the same without the marks."""

    def __init__(self, dictionary: str, directories: Iterable[str]) -> None:
        super().__init__(dictionary, directories)
        self.trees: dict[str, nodes.Template] = {}

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        self.trees[name or ""] = tree
        _mark(tree, list(self.trees).index(name or ""))
        return tree


def render(dictionary: str, context: Mapping[str, Any], directories: Iterable[str]) -> str:
    """TemplateError and whatever else the expressions of a template raise."""
    return _write(Environment(dictionary, directories), context)


def trace(
    dictionary: str, context: Mapping[str, Any], directories: Iterable[str], text: str
) -> list[dict[str, Any]] | None:
    """Where each line of the rendered text comes from; None if the marks themselves make it another text."""
    environment = TracingEnvironment(dictionary, directories)
    marked = _write(environment, context)
    if _MARK.sub("", marked) != text:
        return None
    given = _Given(environment.trees, context)
    names = list(environment.trees)
    return [_origin(line, names, given) for line in _lines_of(marked)]


def _write(environment: Environment, context: Mapping[str, Any]) -> str:
    parts: list[str] = []
    length = 0
    for part in environment.get_template(DICTIONARY).generate(**context):
        length += len(part)
        if length > MAX_LENGTH:
            raise TooLong
        parts.append(part)
    return "".join(parts)


# Marks


def _mark(node: nodes.Node, template: int) -> None:
    for child in node.iter_child_nodes():
        if isinstance(child, _CAPTURES):
            continue
        if isinstance(child, nodes.Output):
            child.nodes = [part for each in child.nodes for part in _marked(each, template)]
        else:
            _mark(child, template)


def _marked(node: nodes.Expr, template: int) -> Iterator[nodes.Expr]:
    if not isinstance(node, nodes.TemplateData):
        yield nodes.TemplateData(_sign(template, node.lineno, _loaded(node)))
        yield node
        return
    for number, line in enumerate(node.data.splitlines(keepends=True), start=node.lineno):
        yield nodes.TemplateData(_sign(template, number, ()) + line)


def _sign(template: int, line: int, names: Iterable[str]) -> str:
    return f"\x01{template}:{line}:{','.join(sorted(names))}\x02"


def _loaded(node: nodes.Node) -> set[str]:
    names = [node] if isinstance(node, nodes.Name) else node.find_all(nodes.Name)
    return {name.name for name in names if name.ctx == "load"}


Piece = tuple[int, int, tuple[str, ...], str]  # template, line, names, text


def _lines_of(marked: str) -> Iterator[list[Piece]]:
    """The pieces of each line of the text, as `str.split` sees lines; each has what its mark says."""
    template, number, names = 0, 0, ""
    line: list[Piece] = []
    parts = _MARK.split(marked)
    for index in range(0, len(parts), 4):
        if index:
            template, number, names = int(parts[index - 3]), int(parts[index - 2]), parts[index - 1]
        first, *others = parts[index].split("\n")
        line.append((template, number, tuple(filter(None, names.split(","))), first))
        for text in others:
            yield line
            line = [(template, number, tuple(filter(None, names.split(","))), text)]
    yield line


def _origin(line: list[Piece], names: list[str], given: _Given) -> dict[str, Any]:
    written = [piece for piece in line if piece[3].strip()] or line
    template, number, _, _ = written[0]
    used = {name for piece in written for name in piece[2]}
    return {"template": names[template], "line": number, "variables": given.behind(used)}


class _Given:
    """What the dictionary and the job say, and which variables of the templates are made of it.

    It reads the templates and follows no branches, so it says what a value may depend on.
    """

    def __init__(self, trees: Mapping[str, nodes.Template], context: Mapping[str, Any]) -> None:
        self._made_of: dict[str, set[str]] = {}
        self._said: dict[str, int | None] = dict.fromkeys(context)
        for name, tree in trees.items():
            for node in tree.find_all((nodes.Assign, nodes.AssignBlock, nodes.For)):
                self._add(node, is_said=name == DICTIONARY)

    def _add(self, node: Any, *, is_said: bool) -> None:
        value = node.iter if isinstance(node, nodes.For) else node
        for target in node.target.find_all(nodes.Name) if not _is_name(node.target) else [node.target]:
            self._made_of.setdefault(target.name, set()).update(_loaded(value))
            if is_said:
                self._said[target.name] = node.lineno

    def behind(self, names: set[str]) -> list[tuple[str, int | None]]:
        seen: set[str] = set()
        left = set(names)
        while left:
            name = left.pop()
            seen.add(name)
            left |= self._made_of.get(name, set()) - seen
        return [(name, self._said[name]) for name in sorted(seen & set(self._said))]


def _is_name(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Name)


# The program


def answer(question: Mapping[str, Any]) -> dict[str, Any]:
    parts = question["dictionary"], question["context"], question["directories"]
    try:
        text = render(*parts)
        return {"text": text, "lines": trace(*parts, text) if question["trace"] else None}
    except TooLong:
        return _fault(f"renders to more than {MAX_LENGTH:,} characters")
    except MemoryError:
        return _fault(f"takes more than {MAX_MEMORY // 1024 // 1024} MB of memory to render")
    except TemplateNotFound as missing:
        places = ", ".join(question["directories"]) or "no directory: name some in DEVICE_TEMPLATES"
        return _fault(f"there is no template {missing} in {places}", *_place(missing))
    except TemplateSyntaxError as wrong:
        return _fault(wrong.message or "not a template", wrong.name, wrong.lineno)
    except Exception as wrong:  # whatever an expression in a template raises
        kind = "" if isinstance(wrong, TemplateError) else f"{type(wrong).__name__}: "
        return _fault(f"{kind}{wrong}", *_place(wrong))


def _fault(text: str, template: str | None = None, line: int | None = None) -> dict[str, Any]:
    return {"fault": text, "template": template, "line": line}


def _place(error: Exception) -> tuple[str | None, int | None]:
    """The innermost line of a template in its traceback, which Jinja2 writes in the templates' own lines."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename == DICTIONARY or frame.filename.endswith(".jinja2"):
            return frame.filename.rpartition("/")[2], frame.lineno
    return None, None


def main() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    json.dump(answer(json.load(sys.stdin)), sys.stdout)


if __name__ == "__main__":
    main()
