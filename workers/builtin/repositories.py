"""Test definitions that are in git repositories, fetched onto the worker's machine."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from core import yaml
from jobs.builtin import protocol_of
from jobs.definition import MAX_BYTES
from workers.builtin import test_definitions, tools
from workers.builtin.job_end import JobEnd
from workers.builtin.reading import InvalidPlan
from workers.builtin.test_definitions import GitSource, TestDefinition
from workers.messages import ErrorType

# Nothing of what a repository says is carried out while it is fetched, and nobody is asked anything.
_GIT: Final = (
    "git",
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "submodule.recurse=false"),
    *("-c", "advice.detachedHead=false"),
)
_QUIET: Final = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "/bin/false",
    "SSH_ASKPASS": "/bin/false",
    "GIT_SSH_COMMAND": "ssh -o BatchMode=yes",
    "GIT_LFS_SKIP_SMUDGE": "1",
}
_REDIRECTS: Final = {"http": "http:https", "https": "http:https"}
# What git says when the network did its work and the job asks for something that is not there.
_WRONGLY_ASKED: Final = (
    re.compile(r"Remote branch .* not found", re.IGNORECASE),
    re.compile(r"repository .* not found", re.IGNORECASE),
    re.compile(r"does not (exist|appear to be a git repository)", re.IGNORECASE),
    re.compile(r"could not read Username", re.IGNORECASE),
)


def fetch(
    definition: TestDefinition,
    into: Path,
    *,
    say: Callable[[str], object],
    mark: str,
    timeout: float,
    check: Callable[[], object],
) -> tuple[TestDefinition, list[str]]:
    """The definition with its steps and its commit, and warnings. Raises JobEnd, and whatever `check` raises."""
    source = definition.source
    if source is None:
        return definition, []
    say(f"Fetching tests from {source.shown}")
    git = _Git(source, into, mark=mark, timeout=timeout, check=check)
    commit = git.fetch()
    say(f"Using commit {commit}")
    if not source.history:
        shutil.rmtree(into / ".git")
    test = _read(into, definition.path, source)
    try:
        completed, warnings = test_definitions.complete(definition, test, definition.path)
    except InvalidPlan as fault:
        raise JobEnd(fault.error_type, f"{source.shown}: {fault}") from None
    return replace(completed, commit=commit), warnings


class _Git:
    def __init__(
        self, source: GitSource, into: Path, *, mark: str, timeout: float, check: Callable[[], object]
    ) -> None:
        self._source = source
        self._into = into
        self._timeout = timeout
        self._deadline = time.monotonic() + timeout
        self._check = check
        protocol = protocol_of(source.address)
        self._environment = tools.environment(
            mark, **_QUIET, GIT_ALLOW_PROTOCOL=_REDIRECTS.get(protocol, protocol)
        )

    def fetch(self) -> str:
        """The commit that was checked out."""
        self._into.parent.mkdir(exist_ok=True)
        shutil.rmtree(self._into, ignore_errors=True)
        self._clone()
        wanted = self._source.revision
        commit = self._commit(wanted) or self._commit(f"origin/{wanted}") if wanted else self._commit("HEAD")
        if not commit:
            missing = f"has no revision {wanted!r}" if wanted else "is empty"
            raise JobEnd(ErrorType.JOB, f"{self._source.shown} {missing}")
        checkout = self._run(["-C", str(self._into), "checkout", "--quiet", "--detach", commit])
        if checkout.exit_code:
            raise self._failure("could not be checked out", checkout)
        return commit

    def _clone(self) -> None:
        source = self._source
        options = ["--quiet", "--no-recurse-submodules", "--template="]
        if source.branch:
            options.append(f"--branch={source.branch}")
        if not source.history and not source.revision:
            options.append("--depth=1")
        clone = self._run(["clone", *options, "--", source.address, str(self._into)])
        if clone.exit_code:
            raise self._failure("could not be fetched", clone)

    def _commit(self, revision: str) -> str:
        """Empty if there is no such revision."""
        command = ["rev-parse", "--quiet", "--verify", "--end-of-options", f"{revision}^{{commit}}"]
        found = self._run(["-C", str(self._into), *command])
        return found.output.strip() if found.exit_code == 0 else ""

    def _run(self, command: Sequence[str]) -> tools.Ended:
        try:
            return tools.run(
                [*_GIT, *command],
                self._environment,
                timeout=self._deadline - time.monotonic(),
                check=self._check,
            )
        except tools.TookTooLong:
            raise JobEnd(
                ErrorType.INFRASTRUCTURE,
                f"{self._source.shown} could not be fetched within {self._timeout:.0f} seconds",
            ) from None

    def _failure(self, what: str, ended: tools.Ended) -> JobEnd:
        is_wrong = any(pattern.search(ended.output) for pattern in _WRONGLY_ASKED)
        words = ended.last_words.replace(self._source.address, self._source.shown)
        error_type = ErrorType.JOB if is_wrong else ErrorType.INFRASTRUCTURE
        return JobEnd(error_type, f"{self._source.shown} {what}: {words}")


def _read(repository: Path, path: str, source: GitSource) -> Mapping[str, Any]:
    """The test in a file. What is a link to somewhere else is as good as missing."""
    top = repository.resolve()
    file = (top / path).resolve()
    if not file.is_relative_to(top) or not file.is_file():
        raise JobEnd(ErrorType.JOB, f"{source.shown} has no file {path!r}")
    if file.stat().st_size > MAX_BYTES:
        raise JobEnd(ErrorType.JOB, f"{source.shown}: {path} is larger than {MAX_BYTES:,} bytes")
    try:
        test = yaml.load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise JobEnd(ErrorType.JOB, f"{source.shown}: {path} is not valid YAML: {error}") from None
    if not isinstance(test, dict):
        raise JobEnd(ErrorType.JOB, f"{source.shown}: {path} is no test definition: expected a mapping")
    if "parse" in test:
        raise JobEnd(
            ErrorType.JOB,
            f"{source.shown}: {path} has `parse`, which is not supported by the built-in worker; "
            "report results with lava-test-case",
        )
    return test
