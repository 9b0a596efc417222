"""What every command has at hand: the words of the command line, the server, and where to write."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, TextIO

from lava_lite import options
from lava_lite.client import targets
from lava_lite.client.console import Console
from lava_lite.client.errors import ClientError
from lava_lite.client.exits import Exit, worst
from lava_lite.client.findings import Finding
from lava_lite.client.follow import Timer
from lava_lite.client.targets import Target, Wanted

if TYPE_CHECKING:
    from lava_lite.client.api import Api, Row
    from lava_lite.client.shapes import Column


class Here(Protocol):
    """What is done with this machine's lab, without a server: that needs Django, which is not for here."""

    def set_password(self, name: str, password: str) -> None: ...
    def findings(self) -> Iterable[Finding]: ...
    def logs(self, wanted: Sequence[str], *, repair: bool) -> Iterable[Finding]: ...


@dataclass(kw_only=True)
class Context:
    words: argparse.Namespace
    console: Console
    here: Here
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    stdin: TextIO = field(default_factory=lambda: sys.stdin)
    closing: ExitStack = field(default_factory=ExitStack)

    @cached_property
    def target(self) -> Target:
        path = targets.file_path(self.environ)
        chosen = targets.choose(self.wanted, self.environ, targets.load(path), self._local)
        if chosen.source == targets.FILE_NAME and targets.is_open_to_others(path):
            self.console.note(f"{path} holds tokens and others can read it. Mend that with: chmod 600 {path}")
        return chosen

    @property
    def wanted(self) -> Wanted:
        return Wanted(server=self.words.server, token=self.words.token, identity=self.words.identity)

    @cached_property
    def api(self) -> Api:
        return self.connect(self.target.server, self.target.token)

    def connect(self, server: str, token: str | None = None) -> Api:
        """To any server; the connection is closed with the others."""
        from lava_lite.client.api import Api
        from lava_lite.client.wire import Wire  # slow to load, and not every command needs it

        wire = Wire(server, token)
        self.closing.callback(wire.close)
        return Api(wire.send, wire.lines)

    @property
    def login_server(self) -> str:
        """The server for an identity that is perhaps not there yet."""
        known = targets.load(targets.file_path(self.environ))
        wanted = Wanted(server=self.words.server, identity=self.words.identity)
        if wanted.identity not in known:
            wanted = replace(wanted, identity=None)
        return targets.choose(wanted, self.environ, known, self._local).server

    def timer(self) -> Timer:
        return Timer(self.words.timeout)

    def address(self, url: str) -> str:
        """A page's whole address; the API may leave the server out."""
        return url if "://" in url else self.target.server + url

    def each(self, names: Iterable[str], act: Callable[[str], tuple[Row, Exit]]) -> Exit:
        """Do it to each of them, also if one of them fails: the worst exit code of all."""
        rows, exits = [], []
        for name in names:
            try:
                row, code = act(name)
            except ClientError as error:
                self.tell(error)
                exits.append(error.code)
                continue
            rows.append(row)
            exits.append(code)
        if self.console.as_json:
            self.show_json(rows, single=len(exits) == 1)
        return worst(exits)

    def show_rows(self, columns: Iterable[Column], rows: Iterable[Row]) -> Exit:
        """A table, or with --json a list."""
        if self.console.as_json:
            self.console.json_list(rows)
        else:
            self.console.table(columns, rows)
        return Exit.OK

    def show_json(self, rows: list[Row], *, single: bool) -> None:
        """The object for one, a list for several."""
        if not single:
            self.console.json_list(rows)
        elif rows:
            self.console.json(rows[0])

    def tell(self, error: ClientError) -> None:
        for line in error.lines():
            self.console.note(line)

    def _local(self) -> str:
        chosen = options.load(options.data_directory(self.environ), self.environ)
        return options.address(chosen["LISTEN"], chosen["PORT"])
