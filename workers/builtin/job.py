"""One job from its first record to its last, in the shape in which LAVA's dispatcher logs it."""

from __future__ import annotations

import shlex
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from workers.builtin import helpers, repositories
from workers.builtin.console import Console
from workers.builtin.directory import JobDirectory, Order, Outcome
from workers.builtin.executors import EXECUTORS
from workers.builtin.executors.base import Executor, Task
from workers.builtin.job_end import CANCELED, ActionTimeout, JobEnd, PutOff
from workers.builtin.journal import Journal
from workers.builtin.plan import ACTION_NAME, FETCH_NAME, Plan, TestAction
from workers.builtin.processes import JobProcesses
from workers.builtin.reading import InvalidPlan
from workers.builtin.signals import Signal
from workers.builtin.test_definitions import TestDefinition
from workers.builtin.test_run import NAMESPACE, TestDeferred, TestRaised, TestRun
from workers.builtin.waits import LOOK, Waits
from workers.messages import ErrorType

TERM_GRACE: Final = 2.0  # seconds between the polite and the other way to end a process

_DRAIN_LIMIT: Final = 3.0  # seconds for the last output of a script that was ended
_ERROR_NAMES: Final = {
    ErrorType.CANCELED: "JobCanceled",
    ErrorType.LAVA_TIMEOUT: "LAVATimeoutError",
}


class Job:
    """`cancel_reason` answers None until the job is to be ended; `wake` is readable when it is worth asking."""

    def __init__(
        self,
        order: Order,
        directory: JobDirectory,
        journal: Journal,
        *,
        processes: JobProcesses,
        cancel_reason: Callable[[], str | None],
        wake: int,
    ) -> None:
        self._order = order
        self._directory = directory
        self._journal = journal
        self._processes = processes
        self._cancel_reason = cancel_reason
        self._wake = wake

    def run(self) -> Outcome:
        """Raises OSError if the log cannot be written; whatever the job started may still run then."""
        self._journal.say("info", f"lava-lite-worker, version: {self._order.version}")
        try:
            self._run_plan(self._validated_plan())
        except PutOff as end:
            return self._put_off(end)
        except JobEnd as end:
            return self._failed(end)
        self._journal.say("info", "Job finished correctly")
        self._journal.result(definition="lava", case="job", result="pass")
        self._journal.flush()
        return Outcome(result="pass")

    def _validated_plan(self) -> Plan:
        self._journal.say("info", "start: 0 validate")
        began = time.monotonic()
        try:
            plan = self._order.required_plan()
        except InvalidPlan as fault:
            self._journal.say("exception", str(fault))
            self._journal.result(definition="lava", case="validate", result="fail")
            raise JobEnd(fault.error_type, str(fault)) from None
        for warning in plan.warnings:
            self._journal.say("warning", warning)
        self._journal.say("info", f"validate duration: {time.monotonic() - began:.2f}")
        self._journal.result(definition="lava", case="validate", result="pass")
        self._journal.flush()
        return plan

    def _run_plan(self, plan: Plan) -> None:
        limits = Limits(plan, self._cancel_reason)
        blocks = Blocks(self._journal)
        plan = self._fetched(plan, limits, blocks)
        helpers.write_to(self._directory.bin)
        task = Task(
            job_id=self._order.job.id,
            mark=self._order.mark,
            directory=self._directory,
            settings=plan.settings,
            environment=plan.environment,
            processes=self._processes,
            journal=self._journal,
            check=limits.check,
        )
        executor = EXECUTORS[plan.executor](task)
        self._write_scripts(plan, executor.root)
        with executor:
            waits = Waits(self._directory, executor)
            run = _PlanRun(
                plan, executor, self._journal, limits=limits, blocks=blocks, waits=waits, wake=self._wake
            )
            run.run()

    def _fetched(self, plan: Plan, limits: Limits, blocks: Blocks) -> Plan:
        """With the test definitions that are in repositories: what is wrong with one is told before any is run."""
        fetched: dict[str, TestDefinition] = {}
        for definition in plan.definitions:
            if definition.source is not None:
                level = f"0.{len(fetched) + 1}"
                fetched[definition.suite] = self._fetch(definition, plan, limits, blocks, level)
        return plan.with_definitions(fetched)

    def _fetch(
        self, definition: TestDefinition, plan: Plan, limits: Limits, blocks: Blocks, level: str
    ) -> TestDefinition:
        began = time.monotonic()
        timeout = min(plan.fetch_timeout, limits.job_end - began)
        with blocks.block(level, FETCH_NAME, timeout):
            try:
                definition, warnings = repositories.fetch(
                    definition,
                    self._directory.tests / definition.suite,
                    say=self._say_now,
                    mark=self._order.mark,
                    timeout=timeout,
                    check=limits.check,
                )
            except JobEnd as end:
                blocks.tell_failure(level, FETCH_NAME, end, time.monotonic() - began)
                raise
            for warning in warnings:
                self._journal.say("warning", warning)
            self._journal.result(
                definition="lava",
                case=FETCH_NAME,
                level=level,
                namespace=NAMESPACE,
                duration=f"{time.monotonic() - began:.2f}",
                repository=definition.source.shown if definition.source else "",
                path=definition.path,
                commit=definition.commit,
                result="pass",
            )
        return definition

    def _say_now(self, message: str) -> None:
        self._journal.say("info", message)
        self._journal.flush()

    def _write_scripts(self, plan: Plan, root: str) -> None:
        self._directory.scripts.mkdir(exist_ok=True)
        for definition in plan.definitions:
            script = self._directory.script(definition.suite)
            script.write_text(_script(definition, root), encoding="utf-8", errors="replace")

    def _put_off(self, end: PutOff) -> Outcome:
        """A server that does not know of deferral takes it for the failure of a test."""
        message = str(end)
        self._journal.say("info", message)
        self._journal.result(definition="lava", case="job", result="skip")
        self._journal.flush()
        return Outcome(result="fail", error_type=end.error_type, errors=message)

    def _failed(self, end: JobEnd) -> Outcome:
        message = str(end)
        tell_failure(self._journal, end.error_type, message)
        # LAVA says nothing more about a job that a person canceled.
        errors = "" if message == CANCELED else message
        return Outcome(result="fail", error_type=end.error_type, errors=errors)


class Limits:
    """When a job has to end."""

    def __init__(self, plan: Plan, cancel_reason: Callable[[], str | None]) -> None:
        self._seconds = plan.timeout
        self._cancel_reason = cancel_reason
        self.job_end = time.monotonic() + plan.timeout

    def check(self) -> None:
        """Raises JobEnd if there is a reason not to go on."""
        reason = self._cancel_reason()
        if reason is not None:
            raise JobEnd(ErrorType.CANCELED, reason or CANCELED)
        if time.monotonic() >= self.job_end:
            raise JobEnd(ErrorType.JOB, f"job timed out after {self._seconds} seconds")


class Blocks:
    """Actions as the log tells of them: a line at the beginning of each, one at its end."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    @contextmanager
    def block(self, level: str, name: str, timeout: float) -> Iterator[None]:
        began = time.monotonic()
        self._journal.say("info", f"start: {level} {name} (timeout {_clock(timeout)}) [{NAMESPACE}]")
        self._journal.flush()
        try:
            yield
        finally:
            duration = _clock(time.monotonic() - began)
            self._journal.say("info", f"end: {level} {name} (duration {duration}) [{NAMESPACE}]")
            self._journal.flush()

    def tell_failure(self, level: str, name: str, end: JobEnd, duration: float) -> None:
        self._journal.say("exception", str(end))
        self._journal.result(
            definition="lava",
            case=name,
            level=level,
            namespace=NAMESPACE,
            duration=f"{duration:.2f}",
            extra={"fail": str(end), "error_type": end.error_type},
            result="fail",
        )


class _PlanRun:
    """The actions of a job, one after the other, and the end of all that they started."""

    def __init__(
        self,
        plan: Plan,
        executor: Executor,
        journal: Journal,
        *,
        limits: Limits,
        blocks: Blocks,
        waits: Waits,
        wake: int,
    ) -> None:
        self._plan = plan
        self._waits = waits
        self._journal = journal
        self._blocks = blocks
        self._limits = limits
        self._processes = executor.processes
        self._console = Console(executor, journal, wake=wake, on_signal=self._on_signal)
        self._definition: TestRun | None = None
        self._asked_end: JobEnd | None = None
        self._last_level = 0

    def run(self) -> None:
        """Raises JobEnd, after everything was ended."""
        try:
            for action in self._plan.actions:
                self._run_action(action)
        finally:
            with self._blocks.block(str(self._last_level + 1), "finalize", TERM_GRACE + _DRAIN_LIMIT):
                self._end_processes()

    def _run_action(self, action: TestAction) -> None:
        began = time.monotonic()
        self._last_level = action.level
        with self._blocks.block(
            str(action.level), ACTION_NAME, min(action.timeout, self._limits.job_end - began)
        ):
            try:
                for definition in action.definitions:
                    self._run_definition(definition, action, began + action.timeout)
            except PutOff:
                raise
            except JobEnd as end:
                self._blocks.tell_failure(str(action.level), ACTION_NAME, end, time.monotonic() - began)
                if not (isinstance(end, ActionTimeout) and action.goes_on_after_timeout):
                    raise
                self._end_processes()
            else:
                self._journal.say("info", "ok: lava_test_shell seems to have completed")

    def _run_definition(self, definition: TestDefinition, action: TestAction, action_end: float) -> None:
        run = self._definition = TestRun(definition, self._journal)
        exit_code = None
        try:
            self._console.start(definition.suite)
            while self._console.is_busy:
                self._check(action, action_end)
                self._waits.deliver()
                self._console.attend(self._longest_pause(action_end))
            exit_code = self._console.exit_code
        finally:
            self._console.end_line()
            self._definition = None
            run.finish(exit_code, is_put_off=isinstance(self._asked_end, PutOff))
            self._journal.flush()
        self._check_asked_end()

    def _longest_pause(self, action_end: float) -> float:
        left = min(self._limits.job_end, action_end) - time.monotonic()
        return min(left, LOOK) if self._waits.is_open else left

    def _check(self, action: TestAction, action_end: float) -> None:
        """Raises JobEnd if there is a reason not to go on."""
        self._limits.check()
        self._check_asked_end()
        if time.monotonic() >= action_end:
            raise ActionTimeout(
                ErrorType.LAVA_TIMEOUT, f"{ACTION_NAME} timed out after {action.timeout} seconds"
            )

    def _check_asked_end(self) -> None:
        if self._asked_end is not None:
            raise self._asked_end

    def _on_signal(self, found: Signal, number: int) -> None:
        self._waits.hear(found)
        if self._definition is None:  # something that was left running speaks
            return
        try:
            self._definition.take(found, number)
        # The job ends when the lines that were read together with this one are in the log.
        except TestRaised as raised:
            self._asked_end = JobEnd(ErrorType.TEST, str(raised))
        except TestDeferred as deferred:
            self._asked_end = PutOff(ErrorType.TEST, str(deferred))

    def _end_processes(self) -> None:
        """First the polite way; what they still print is read."""
        deadline = time.monotonic() + TERM_GRACE
        waiting = self._processes.signal(signal.SIGTERM)
        while waiting and time.monotonic() < deadline:
            self._console.attend(0.02)
            waiting = self._processes.find()
        if not self._processes.kill(between=lambda: self._console.attend(0.0)):
            self._journal.say("warning", "Some processes of this job could not be ended")
        deadline = time.monotonic() + _DRAIN_LIMIT
        while self._console.is_busy and time.monotonic() < deadline:
            self._console.attend(0.01)
        self._console.attend(0.0)
        self._console.end_line()
        self._journal.flush()


def tell_failure(journal: Journal, error_type: str, message: str) -> None:
    """The last records of a job that failed."""
    journal.say("error", f"{_ERROR_NAMES.get(error_type, f'{error_type}Error')}: {message}")
    journal.result(definition="lava", case="job", error_msg=message, error_type=error_type, result="fail")
    journal.flush()


def _script(definition: TestDefinition, root: str) -> str:
    """All steps in one shell, as LAVA runs them: what one sets, the next ones see."""
    names = f"{definition.suite} {definition.uuid}"
    lines = [f"export TESTRUN_ID={shlex.quote(definition.suite)}"]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in definition.parameters.items()]
    if definition.source is not None:
        lines.append(f"cd {shlex.quote(f'{root}/tests/{definition.suite}')}")
    lines.append(_print(f"<LAVA_SIGNAL_STARTRUN {names}>"))
    for step in definition.steps:
        lines += [_print(f"+ {step.rstrip()}"), step]
    lines.append(_print(f"<LAVA_SIGNAL_ENDRUN {names}>"))
    return "\n".join(lines) + "\n"


def _print(text: str) -> str:
    return f"printf '%s\\n' {shlex.quote(text)}"


def _clock(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"
