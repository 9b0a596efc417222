"""One test definition while it runs: its signals become results."""

from __future__ import annotations

import time
from typing import Any, Final

from workers.builtin import waits
from workers.builtin.journal import Journal
from workers.builtin.signals import RESULTS, Deferral, Signal, measurement
from workers.builtin.test_definitions import TestDefinition

NAMESPACE: Final = "common"
FOR_THE_LAB: Final = frozenset({"PROGRESS", waits.ASKED, waits.OVER})  # the server finds them in the log


class TestRaised(Exception):
    """The test asked to end the job (lava-test-raise)."""

    __test__ = False


class TestDeferred(Exception):
    """The test asked that the job be run again later (lava-lite-defer)."""

    __test__ = False

    def __init__(self, deferral: Deferral) -> None:
        super().__init__(f"the test asked to be run again in {deferral.seconds} seconds: {deferral.reason}")


class TestRun:
    __test__ = False

    def __init__(self, definition: TestDefinition, journal: Journal) -> None:
        self._definition = definition
        self._journal = journal
        self._began = time.monotonic()
        self._starts: dict[str, int] = {}
        self._ends: dict[str, int] = {}
        self._set = ""
        self._reached_its_end = False

    def take(self, signal: Signal, number: int) -> None:
        """`number` is the one of the record that tells of the signal. Raises TestRaised or TestDeferred."""
        if deferral := signal.deferral:
            raise TestDeferred(deferral)
        match signal.name, signal.words:
            case "STARTRUN", _:
                suite, uuid = self._definition.suite, self._definition.uuid
                self._journal.say("info", f"Starting test lava.{suite} ({uuid})")
            case "ENDRUN", (suite, *_):
                self._reached_its_end = suite == self._definition.suite
            case "STARTTC", (name, *_):
                self._starts[name] = number
            case "ENDTC", (name, *_):
                self._ends[name] = number
            case "TESTCASE", _:
                self._case(signal, number)
            case "TESTSET", ("START", name, *_):
                self._set = name
                self._journal.say("info", f"Starting test_set {name}")
            case "TESTSET", ("STOP", *_) if not self._set:
                self._journal.say("warning", "No test_set to close")
            case "TESTSET", ("STOP", *_):
                self._journal.say("info", f"Closing test_set {self._set}")
                self._set = ""
            case "TESTREFERENCE", (name, result, reference, *_):
                self._add(name, result, {"reference": reference})
            case "TESTEVENT", (_, *_) as words:
                self._journal.say("event", " ".join(words))
            case "TESTRAISE", words:
                raise TestRaised(" ".join(words))
            case name, _ if name in FOR_THE_LAB:
                pass
            case _:
                self._journal.say("warning", f"Unknown signal: <{signal.name}> {signal.text}")

    def finish(self, exit_code: int | None, *, is_put_off: bool = False) -> None:
        """`exit_code` is None if the definition was not let to its end."""
        suite, uuid = self._definition.suite, self._definition.uuid
        passed = self._reached_its_end and exit_code == 0
        failed = not passed and not is_put_off
        if failed and exit_code is not None:
            self._journal.say("error", f"{suite} {_how(exit_code)} before its last step was done")
        if failed:
            self._journal.say("error", "Marking unfinished test run as failed")
        duration = f"{time.monotonic() - self._began:.2f}"
        self._journal.say("info", f"Ending test lava.{suite} ({uuid}), duration {duration}")
        self._journal.result(
            definition="lava",
            case=suite,
            uuid=uuid,
            path=self._definition.path,
            duration=duration,
            result="fail" if failed else "pass" if passed else "skip",
            namespace=NAMESPACE,
            **_origin(self._definition),
        )

    def _case(self, signal: Signal, number: int) -> None:
        fields = signal.fields
        name = fields.get("TEST_CASE_ID", "")
        extra: dict[str, Any] = {
            "starttc": self._starts.pop(name, number),
            "endtc": self._ends.pop(name, number),
        }
        if "MEASUREMENT" in fields:
            value = measurement(fields["MEASUREMENT"])
            if value is None:
                self._journal.say("error", f"{name}: {fields['MEASUREMENT']!r} is no number to measure")
            else:
                extra["measurement"] = value
        if "UNITS" in fields:
            extra["units"] = fields["UNITS"]
        self._add(name, fields.get("RESULT", ""), extra)

    def _add(self, name: str, result: str, extra: dict[str, Any]) -> None:
        if not name or result not in RESULTS:
            self._journal.say(
                "error", f"No result: {name!r} says {result!r}, expected pass, fail, skip or unknown"
            )
            return
        if self._set:
            extra["set"] = self._set
        self._journal.result(definition=self._definition.suite, case=name, result=result, **extra)


def _origin(definition: TestDefinition) -> dict[str, str]:
    source = definition.source
    if source is None:
        return {"revision": "unspecified"}
    return {
        "repository": source.shown,
        "revision": source.revision or "unspecified",
        "commit_id": definition.commit,
    }


def _how(exit_code: int) -> str:
    if exit_code < 0:
        return f"was ended by signal {-exit_code}"
    return f"ended with exit code {exit_code}"
