"""`lava-lite job …`"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lava_lite.client import follow
from lava_lite.client.api import Api, Piece, Row, segment
from lava_lite.client.console import Console
from lava_lite.client.context import Context
from lava_lite.client.errors import Faulty, OutOfTime, Problem, Usage
from lava_lite.client.exits import Exit, of_outcome, worst
from lava_lite.client.follow import Follower, Timer
from lava_lite.client.shapes import (
    age,
    ago,
    clean,
    column,
    duration,
    later,
    point_in_time,
    status,
    tone_of,
)

STDIN = "-"

LIST = (
    column("ID", "number"),
    column("STATUS", status, toned=True),
    column("DEVICE", lambda job: job.get("device") or job.get("device_type")),
    column("SUBMITTER", "submitter"),
    column("AGE", "submit_time", age),
    column("TOOK", "duration", duration),
    column("DESCRIPTION", "description"),
)

RESULTS = (
    column("ID", "id"),
    column("RESULT", "result", toned=True),
    column("SUITE", "suite"),
    column("SET", "set"),
    column("NAME", "name"),
    column("MEASUREMENT", "measurement"),
    column("UNIT", "unit"),
)

ATTEMPTS = (
    column("ATTEMPT", "number"),
    column("RESULT", "result", toned=True),
    column("DEVICE", "device"),
    column("WORKER", "worker"),
    column("AGE", "scheduled", age),
    column("WHY", lambda attempt: clean(attempt.get("reason") or attempt.get("error_type") or "")),
)

STEPS = (
    column("STATE", "state", toned=True),
    column("LEVEL", "level"),
    column("NAME", "name"),
    column("TRY", "trial"),
    column("TOOK", "duration", duration),
    column("LINE", "start_line"),
)

FILTERS = ("state", "health", "outcome", "submitter", "device", "device_type", "tag", "group", "q")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as `follow` asks for it."""

    api: Api
    id: int

    def job(self) -> Row:
        return self.api.get(f"jobs/{self.id}/")

    def piece(self, *, start: int, attempt: int | None, end: int | None = None) -> Piece:
        return self.api.log_tail(self.id, start=start, attempt=attempt, end=end)


@dataclass(kw_only=True)
class LogViewer:
    """Shows the log as it is, or with --json the answers of log-tail, a line for each."""

    console: Console

    def content(self, piece: Piece) -> None:
        if not self.console.as_json:
            self.console.text(piece.bytes)
        elif piece.content:
            self.console.json_line(
                {"content": piece.content, "new_size": piece.new_size, "is_finished": piece.is_finished}
            )

    def status(self, text: str) -> None:
        self.console.status(text)

    def note(self, text: str) -> None:
        self.console.note(text)


@dataclass(kw_only=True)
class MemberViewer(LogViewer):
    """Shows the lines of one of several jobs, each line whole and with the job's number in front."""

    prefix: str
    _begun: bytes = b""  # a line that has not ended yet
    _told: str = ""

    def content(self, piece: Piece) -> None:
        *lines, self._begun = (self._begun + piece.bytes).split(b"\n")
        if piece.is_finished and self._begun:
            lines, self._begun = [*lines, self._begun], b""
        self.console.text(b"".join(self.prefix.encode() + line + b"\n" for line in lines))

    def status(self, text: str) -> None:
        # The others are told in between, and each is told again only if it has changed.
        if text != self._told:
            self._told = text
            super().status(text)


def submit(context: Context) -> Exit:
    words = context.words
    definitions = {name: _definition(context, name) for name in dict.fromkeys(words.files)}
    if words.check or len(definitions) > 1:
        _check(context, definitions)
    if words.check:
        return Exit.OK
    jobs = [_submit(context, name, text) for name, text in definitions.items()]
    if words.follow:
        return _to_the_end(context, jobs)
    if context.console.as_json:
        context.show_json(jobs, single=len(jobs) == 1)
    return Exit.OK


def run(context: Context) -> Exit:
    context.words.follow, context.words.check = True, False
    return submit(context)


def list_jobs(context: Context) -> Exit:
    words = context.words
    fields = {name: getattr(words, name) for name in FILTERS}
    times = {name: point_in_time(value) for name in ("since", "until") if (value := getattr(words, name))}
    rows = context.api.items("jobs/", limit=words.limit, **fields, **times)
    return context.show_rows(LIST, rows)


def show(context: Context) -> Exit:
    job = find(context, context.words.job)
    if context.console.as_json:
        context.console.json(job)
        return Exit.OK
    console, results = context.console, job.get("results") or {}
    console.facts(
        [
            ("job", job["number"]),
            ("page", context.address(job["url"])),
            ("description", job["description"]),
            ("status", status(job)),
            ("reason", job["reason"]),
            ("went wrong in", _step(job.get("culprit"))),
            ("waits for a person", "; ".join(wait["text"] for wait in job.get("waits") or [])),
            ("progress", _progress(job.get("progress"))),
            ("submitter", job["submitter"]),
            ("device", job["device"] or f"any {job['device_type']}"),
            ("role", _role(job.get("group"))),
            ("group", _group(job.get("group"))),
            ("tags", ", ".join(job.get("tags") or [])),
            ("priority", str(job["priority"])),
            ("visibility", ", ".join([job["visibility"], *(job.get("groups") or [])])),
            ("submitted", ago(job["submit_time"])),
            ("started", ago(job["start_time"])),
            ("ended", ago(job["end_time"])),
            ("took", duration(job["duration"])),
            ("lost since", ago(job.get("lost_since"))),
            ("attempt", str(job["attempt"])),
            ("not before", ago(job.get("not_before"))),
            ("run again from", str(job.get("resubmitted_from") or "")),
            ("results", ", ".join(f"{count} {word}" for word, count in results.items() if count)),
        ]
    )
    return Exit.OK


def log(context: Context) -> Exit:
    words = context.words
    if words.start and words.from_line:
        raise Usage("expected either --start or --from-line")
    if words.follow and words.to_line is not None:
        raise Usage("expected either --follow or --to-line")
    job = find(context, words.job)
    start = words.start
    if words.from_line:
        start = context.api.log_line(job["id"], words.from_line, attempt=words.attempt)["start"]
    if words.follow:
        [job] = _watch(context, [job], context.timer(), start=start, attempt=words.attempt)
        return of_outcome(job.get("outcome"))
    end = None
    if words.to_line is not None:
        end = context.api.log_line(job["id"], words.to_line, attempt=words.attempt)["end"]
    source, viewer = Job(api=context.api, id=job["id"]), LogViewer(console=context.console)
    follow.read(source, viewer, start=start, end=end, attempt=words.attempt)
    return Exit.OK


def wait(context: Context) -> Exit:
    timer = context.timer()

    def wait_for(name: str) -> tuple[Row, Exit]:
        [job] = _watch(context, [find(context, name)], timer, with_log=False)
        if not context.console.as_json:
            context.console.say(f"{job['number']}\t{_outcome(context.console, job)}")
        return job, of_outcome(job.get("outcome"))

    return context.each(context.words.jobs, wait_for)


def cancel(context: Context) -> Exit:
    def cancel_one(name: str) -> tuple[Row, Exit]:
        job = context.api.post(f"jobs/{segment(name)}/cancel/", {"reason": context.words.reason})
        if not context.console.as_json:
            context.console.say(f"{job['number']}\t{job['state']}")
        return job, Exit.OK

    return context.each(context.words.jobs, cancel_one)


def answer(context: Context) -> Exit:
    words = context.words
    body = {"answer": "failed" if words.failed else "done", "comment": words.comment or ""}
    job = context.api.post(f"jobs/{segment(words.job)}/answer/", body)
    if context.console.as_json:
        context.console.json(job)
    else:
        context.console.say(f"{job['number']}\t{job['state']}")
    return Exit.OK


def pin(context: Context) -> Exit:
    return _set_pinned(context, "pin")


def unpin(context: Context) -> Exit:
    return _set_pinned(context, "unpin")


def _set_pinned(context: Context, verb: str) -> Exit:
    def set_one(name: str) -> tuple[Row, Exit]:
        job = context.api.post(f"jobs/{segment(name)}/{verb}/", {"reason": context.words.reason})
        if not context.console.as_json:
            context.console.say(f"{job['number']}\t{'pinned' if job['pinned'] else 'not pinned'}")
        return job, Exit.OK

    return context.each(context.words.jobs, set_one)


def defer(context: Context) -> Exit:
    words = context.words
    if (words.length is None) == (words.until is None):
        raise Usage("expected either --for or --until")
    when = {"seconds": words.length} if words.length else {"until": later(words.until)}

    def defer_one(name: str) -> tuple[Row, Exit]:
        job = context.api.post(f"jobs/{segment(name)}/defer/", {**when, "reason": words.reason or ""})
        _tell_of_wait(context, job)
        return job, Exit.OK

    return context.each(words.jobs, defer_one)


def hurry(context: Context) -> Exit:
    def hurry_one(name: str) -> tuple[Row, Exit]:
        job = context.api.post(f"jobs/{segment(name)}/hurry/", {})
        _tell_of_wait(context, job)
        return job, Exit.OK

    return context.each(context.words.jobs, hurry_one)


def _tell_of_wait(context: Context, job: Row) -> None:
    if not context.console.as_json:
        context.console.say(f"{job['number']}\t{job['not_before'] or 'now'}")


def attempts(context: Context) -> Exit:
    words = context.words
    rows = context.api.items(f"jobs/{segment(words.job)}/attempts/", limit=words.limit)
    return context.show_rows(ATTEMPTS, rows)


def resubmit(context: Context) -> Exit:
    job = context.api.post(f"jobs/{segment(context.words.job)}/resubmit/", {})
    _tell_of(context, job)
    if context.words.follow:
        return _to_the_end(context, [job])
    if context.console.as_json:
        context.console.json(job)
    return Exit.OK


def definition(context: Context) -> Exit:
    whole = "?whole=true" if context.words.whole else ""
    text = context.api.text(f"jobs/{segment(context.words.job)}/definition/{whole}")
    if context.console.as_json:
        context.console.json({"definition": text.decode("utf-8", "replace")})
    else:
        context.console.text(text)
    return Exit.OK


def results(context: Context) -> Exit:
    words = context.words
    rows = context.api.items(
        f"jobs/{segment(words.job)}/results/",
        limit=words.limit,
        result=words.result,
        suite=words.suite,
        attempt=words.attempt,
    )
    return context.show_rows(RESULTS, rows)


def steps(context: Context) -> Exit:
    words = context.words
    rows = context.api.items(
        f"jobs/{segment(words.job)}/steps/", limit=words.limit, state=words.state, attempt=words.attempt
    )
    return context.show_rows(STEPS, rows)


def _role(group: Row | None) -> str:
    if group is None:
        return ""
    return f"{group['role']}, essential" if group["essential"] else str(group["role"])


def _group(group: Row | None) -> str:
    return ", ".join(f"{job['number']} {job['role']}" for job in group["jobs"]) if group else ""


def _progress(progress: Row | None) -> str:
    if progress is None or progress["percent"] is None:
        return ""
    return f"{progress['percent']} % {progress['text']}".rstrip()


def _step(step: Row | None) -> str:
    if step is None:
        return ""
    return f"{step['level']} {step['name']} ({step['state']} after {duration(step['duration'])})"


def _definition(context: Context, name: str) -> bytes:
    if name == STDIN:
        return context.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise Usage(f"{name}: {error.strerror}") from error


def _check(context: Context, definitions: dict[str, bytes]) -> None:
    """Faulty with the faults of all files; none is submitted when one of them is wrong."""
    faults = [
        fault.at(_shown(name)) for name, text in definitions.items() for fault in context.api.faults(text)
    ]
    if faults:
        raise Faulty("\n".join(faults))


def _submit(context: Context, name: str, text: bytes) -> Row:
    try:
        job = context.api.submit(text)
    except Problem as problem:
        if not problem.faults:
            raise
        raise Faulty("\n".join(fault.at(_shown(name)) for fault in problem.faults)) from None
    _tell_of(context, job)
    return job


def _tell_of(context: Context, job: Row) -> None:
    """Number and address, of a group those of all: on standard error where the log or JSON has the other."""
    for each in _members(job):
        address = context.address(each["url"])
        if context.words.follow:
            context.console.note(f"Job {each['number']}: {address}")
        elif not context.console.as_json:
            context.console.say(f"{each['number']}\t{address}")


def _members(job: Row) -> list[Row]:
    """All jobs of its group, each with what the group tells of it; of a job that runs alone, itself."""
    group = job.get("group")
    return list(group["jobs"]) if group else [job]


def _shown(name: str) -> str:
    return "standard input" if name == STDIN else name


def _to_the_end(context: Context, jobs: list[Row]) -> Exit:
    """Their logs one after the other, those of a group together, or with --json the jobs when they have ended."""
    timer, ended = context.timer(), []
    for job in jobs:
        for over in _watch(context, _members(job), timer, with_log=not context.console.as_json):
            context.console.note(f"Job {over['number']}: {_outcome(context.console, over)}")
            ended.append(over)
    if context.console.as_json:
        context.show_json(ended, single=len(ended) == 1)
    return worst(of_outcome(job.get("outcome")) for job in ended)


def _watch(
    context: Context,
    jobs: list[Row],
    timer: Timer,
    *,
    with_log: bool = True,
    start: int = 0,
    attempt: int | None = None,
) -> list[Row]:
    """The jobs when they have ended; whoever leaves before is told that they go on."""
    console = context.console
    sources = [Job(api=context.api, id=job["id"]) for job in jobs]
    viewers = _viewers(console, jobs)
    try:
        if not with_log:
            return [
                follow.wait(source, viewer, timer) for source, viewer in zip(sources, viewers, strict=True)
            ]
        followers = [
            Follower(source, viewer, timer, start=start, attempt=attempt)
            for source, viewer in zip(sources, viewers, strict=True)
        ]
        return follow.follow(followers, timer)
    except OutOfTime as over:
        raise OutOfTime(f"{over} {_goes_on(jobs)}") from None
    except KeyboardInterrupt:
        console.note(f"\n{_goes_on(jobs)}")
        raise
    finally:
        console.clear_status()


def _viewers(console: Console, jobs: list[Row]) -> list[LogViewer]:
    if len(jobs) == 1:
        return [LogViewer(console=console)]
    width = max(len(job["number"]) for job in jobs)
    return [MemberViewer(console=console, prefix=f"{job['number']:{width}} | ") for job in jobs]


def _goes_on(jobs: list[Row]) -> str:
    numbers = [job["number"] for job in jobs]
    if len(jobs) == 1:
        return f"Job {numbers[0]} goes on. Cancel it with: lava-lite job cancel {numbers[0]}"
    return f"Jobs {', '.join(numbers)} go on. Cancel them with: lava-lite job cancel {numbers[0]}"


def find(context: Context, name: str) -> Row:
    return context.api.get(f"jobs/{segment(name)}/")


def _outcome(console: Console, job: Row) -> str:
    word = status(job)
    why = f": {job['reason']}" if job.get("reason") else ""
    return f"{console.toned(word, tone_of(word))}{clean(why)}"
