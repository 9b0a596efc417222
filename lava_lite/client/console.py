"""What is written where: answers on standard output, everything else on standard error."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from io import TextIOWrapper
from typing import Any, TextIO

from lava_lite.client.shapes import Column, Tone, clean, columns_of_text, fit

_CODES: dict[Tone, str] = {"good": "32", "bad": "31", "warn": "33", "busy": "36", "still": "2", "head": "1"}
_CLEAR_LINE = "\r\x1b[K"
_STILL_WIDTH = 200  # where no terminal says how wide it is


class Console:
    """For people where it is a terminal; tabs and plain values where another program reads."""

    def __init__(
        self,
        out: TextIO | None = None,
        err: TextIO | None = None,
        environ: Mapping[str, str] = os.environ,
        *,
        as_json: bool = False,
    ) -> None:
        self.out = out or sys.stdout
        self.err = err or sys.stderr
        for stream in (self.out, self.err):
            # A character that the terminal does not have must not end a command.
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="replace")
        self.as_json = as_json
        self.is_terminal = self.out.isatty()
        colour = not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
        self.colours = self.is_terminal and colour
        self._status_is_live = self.err.isatty() and environ.get("TERM") != "dumb"
        self._status = ""

    @property
    def width(self) -> int:
        return shutil.get_terminal_size().columns if self.is_terminal else _STILL_WIDTH

    def say(self, text: str) -> None:
        self.clear_status()
        self.out.write(f"{text}\n")
        self.out.flush()

    def text(self, content: bytes) -> None:
        """These bytes and no others."""
        if not content:
            return
        self.clear_status()
        self.out.flush()
        self.out.buffer.write(content)
        self.out.buffer.flush()

    def json(self, value: Any) -> None:
        """In ASCII, which every terminal and every pipe takes."""
        self.say(json.dumps(value, indent=2))

    def json_line(self, value: Any) -> None:
        self.say(json.dumps(value))

    def json_list(self, rows: Iterable[Any]) -> None:
        """Each row as soon as it is there."""
        before = "["
        for row in rows:
            self.out.write(f"{before}\n{json.dumps(row)}")
            before = ","
        self.say("[]" if before == "[" else "\n]")

    def table(self, columns: Iterable[Column], rows: Iterable[Mapping[str, Any]]) -> None:
        columns = list(columns)
        if self.is_terminal:
            self._aligned(columns, list(rows))
            return
        for row in rows:
            self.say("\t".join(clean(column.plain(row)) for column in columns))

    def _aligned(self, columns: list[Column], rows: list[Mapping[str, Any]]) -> None:
        shown = [[clean(column.shown(row)) for column in columns] for row in rows]
        heads = [column.head for column in columns]
        widths = columns_of_text([heads, *shown])
        self.say(self.toned("".join(fit(heads, widths, self.width)).rstrip(), "head"))
        for row, cells in zip(rows, shown, strict=True):
            pieces = fit(cells, widths, self.width)
            tones = [column.tone(row) for column in columns]
            self.say("".join(map(self.toned, pieces, tones)).rstrip())

    def facts(self, facts: Iterable[tuple[str, str]]) -> None:
        """A name and a value on each line, those without a value left out."""
        given = [(name, value) for name, value in facts if value]
        width = max((len(name) for name, _ in given), default=0)
        for name, value in given:
            if self.is_terminal:
                self.say(f"{self.toned(name.ljust(width), 'still')}  {clean(value)}")
            else:
                self.say(f"{name}\t{clean(value)}")

    def toned(self, text: str, tone: Tone | None) -> str:
        return f"\x1b[{_CODES[tone]}m{text}\x1b[0m" if tone and self.colours and text.strip() else text

    def note(self, text: str) -> None:
        self.clear_status()
        self.err.write(f"{text}\n")
        self.err.flush()

    def status(self, text: str) -> None:
        """How things stand: one line that changes, or a line for each change where it cannot."""
        if text == self._status:
            return
        text = clean(text)
        if not self._status_is_live:
            self.note(text)
        else:
            width = shutil.get_terminal_size().columns
            self.err.write(f"{_CLEAR_LINE}{text[: width - 1]}")
            self.err.flush()
        self._status = text

    def clear_status(self) -> None:
        if self._status and self._status_is_live:
            self.err.write(_CLEAR_LINE)
            self.err.flush()
            self._status = ""
