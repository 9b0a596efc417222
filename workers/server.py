"""The server end of the worker protocol: LAVA 2023.01's four addresses, for its worker and for the built-in one, and
a fifth for the latter alone.

Nothing that is answered here may kill or wedge a worker: it sends FINISHED until it gets exactly 200 and log
records until it gets 200 with `line_count`, so what cannot be used is taken and dropped with a warning.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from functools import lru_cache, wraps
from typing import Any

from django.conf import settings
from django.contrib.auth import authenticate
from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.tally import tally
from devices import lifecycle as devices
from devices.models import Worker, name_is_plain
from jobs import attempts, lifecycle, log_live, logs, progress, results, sayings, steps, waits
from jobs.definition import MAX_REASON
from jobs.lifecycle import Ending
from jobs.logs.records import storable
from jobs.models import Attempt, Job
from jobs.secrets import REMEMBERED, secrets_of
from jobs.states import InvalidMove, State
from workers import ending_runs, job_files
from workers.builtin import signals
from workers.messages import (
    USER_AGENT,
    BadMessage,
    JobFiles,
    JobRef,
    LogPost,
    Orders,
    StateChange,
)
from workers.tokens import opened_once, opens, token_of

log = logging.getLogger(__name__)

LONGEST_NAME = 128  # of a worker
LISTS = {State.SCHEDULED: "start", State.CANCELING: "cancel", State.RUNNING: "running"}

_DEFER = f"{signals.MARKER}{signals.DEFER} "

View = Callable[..., JsonResponse]


class Refused(Exception):
    """A request that is answered with an error, in LAVA's shape."""

    def __init__(self, status: int, error: str, **more: Any) -> None:
        super().__init__(error)
        self.status = status
        self.body = {"error": error, **more}


class Forgotten(Exception):
    """A job that is not here any more; its worker is told that all is well, so that it goes on."""


def _answers(view: View) -> View:
    @csrf_exempt
    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> JsonResponse:
        try:
            return view(request, *args, **kwargs)
        except Refused as refused:
            return JsonResponse(refused.body, status=refused.status)
        except BadMessage as bad:
            return JsonResponse({"error": str(bad)}, status=400)

    return answer


@_answers
@require_POST
def register(request: HttpRequest) -> JsonResponse:
    """A worker asks for its token; asking again, with a superuser's password, makes a new one."""
    name = request.POST.get("name", "")
    if not name:
        raise Refused(400, "Missing 'name'")
    if not _is_name(name):
        raise Refused(400, f"Invalid name {name[:200]!r}: {name_is_plain.message}")
    may_replace = _check_registrar(request)
    with transaction.atomic():
        worker = Worker.objects.select_for_update().filter(pk=name).first()
        if worker and not may_replace:
            raise Refused(403, f"Worker '{name}' already registered")
        worker = worker or Worker(name=name, description="registered by itself")
        token = worker.new_token()
        worker.save()
    return JsonResponse({"name": name, "token": token})


def _check_registrar(request: HttpRequest) -> bool:
    """Whether who asks may replace a worker's token; Refused if they may not even register a new one."""
    username, password = storable(request.POST.get("username", "")), request.POST.get("password", "")
    if username or password:
        user = authenticate(request, username=username, password=password)
        if user is None:
            raise Refused(403, f"Unknown user {username}")
        if not user.has_perm("devices.add_worker"):
            raise Refused(403, f"User {username} may not add workers")
        return bool(user.is_superuser)
    if not _is_trusted_address(request.META.get("REMOTE_ADDR", "")):
        raise Refused(403, "Auto registration is off for this address (WORKER_AUTO_REGISTER_NETMASK)")
    return False


def _is_name(text: str) -> bool:
    return len(text) <= LONGEST_NAME and bool(name_is_plain.regex.match(text))  # type: ignore[union-attr]


def _is_trusted_address(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    networks = settings.WORKER_AUTO_REGISTER_NETMASK
    return any(address in ipaddress.ip_network(network, strict=False) for network in networks)


@_answers
@require_safe
def ping(request: HttpRequest, name: str) -> JsonResponse:
    """A worker asks what to do. Any version is welcome."""
    token = _token(request)
    worker = Worker.objects.filter(pk=name).first() if _is_name(name) else None
    if worker is None:
        raise Refused(404, f"Unknown worker '{name}'")
    if not worker.has_token(token):
        raise Refused(400, "Invalid 'token'")
    version = request.GET.get("version", "")
    if not version:
        raise Refused(400, "Missing 'version'")
    devices.worker_seen(name, version=storable(version)[:64])
    return JsonResponse(_orders(name).to_json())


def _orders(worker: str) -> Orders:
    lists: dict[str, list[JobRef]] = {"start": [], "cancel": [], "running": []}
    given_up = Attempt.objects.unconfirmed().filter(worker_name=worker).values_list("job", "number")
    for job_id, attempt in given_up:
        lists["cancel"].append(JobRef(id=job_id, token=token_of(job_id, attempt)))
    # A worker knows a job by its number alone: another attempt begins there when the last one has stopped.
    stopping = {job_id for job_id, _ in given_up}
    jobs = Job.objects.of_worker(worker).filter(state__in=LISTS).exclude(pk__in=stopping)
    for job_id, state, attempt in jobs.values_list("pk", "state", "attempt"):
        lists[LISTS[State(state)]].append(JobRef(id=job_id, token=token_of(job_id, attempt)))
    return Orders(start=tuple(lists["start"]), cancel=tuple(lists["cancel"]), running=tuple(lists["running"]))


@_answers
@require_http_methods(["GET", "HEAD", "POST"])
def job(request: HttpRequest, job_id: str) -> JsonResponse:
    """GET: what a worker needs to start the job. POST: its word that the job runs, or has ended."""
    token = _token(request)
    try:
        attempt = _attempt(job_id, token)
    except Forgotten:
        if request.method == "POST":
            return JsonResponse({})
        raise Refused(404, f"Unknown job '{job_id}'") from None
    if request.method != "POST":
        if attempt.is_over:
            raise Refused(404, f"Job '{job_id}' has ended")  # a worker that was too slow must not begin it
        return JsonResponse(_files(attempt).to_json())
    # Read from the stream: FINISHED carries whole error outputs, beyond the limit for forms.
    change = StateChange.from_form(request.read())
    _apply(attempt, change)
    return JsonResponse({})


def _files(attempt: Attempt) -> JobFiles:
    """Refused for a job that is over with that, as it cannot be run."""
    try:
        return job_files.of(attempt)
    except job_files.CannotRun as why:
        job_files.end(attempt, why)
        raise Refused(404, f"Job '{attempt.job_id}' has ended: {why}") from why


def _apply(attempt: Attempt, change: StateChange) -> None:
    job, worker, number = attempt.job, attempt.worker_name, attempt.number
    try:
        if change.state == "RUNNING":
            lifecycle.start(job.pk, worker=worker, attempt=number)
        else:
            logs.sync(attempt.log_directory)
            lifecycle.finish(job.pk, _ending(change, _masker(attempt)), worker=worker, attempt=number)
    except (InvalidMove, Job.DoesNotExist) as gone:
        log.warning("The %s of %s changed nothing: %s", change.state, attempt, gone)


def _ending(change: StateChange, masker: logs.Masker) -> Ending:
    return Ending(
        passed=change.result == "pass",
        error_type=storable(change.error_type)[:32],
        errors=masker.mask(storable(change.errors)),
        pipeline=masker.mask(storable(change.description)),
    )


def _masker(attempt: Attempt) -> logs.Masker:
    """Of what nobody may read in the log: the secrets of the job, and what its worker shows to be let in here."""
    return _masker_of(_secrets(attempt), token_of(attempt.job_id, attempt.number))


def _secrets(attempt: Attempt) -> tuple[str, ...]:
    """Those of its definition, with the tokens that its worker was given in the place of their names."""
    tokens: dict[str, str] = attempt.given_tokens or {}
    names = set(tokens.values())
    return (*(word for word in secrets_of(attempt.job.definition) if word not in names), *tokens)


@lru_cache(maxsize=REMEMBERED)
def _masker_of(secrets: tuple[str, ...], token: str) -> logs.Masker:
    return logs.Masker((*secrets, token))


@_answers
@require_POST
def job_logs(request: HttpRequest, job_id: str) -> JsonResponse:
    """Records of the log. Answered when the file and what was found in it (results, steps …) are stored."""
    token = _token(request)
    body = request.read()
    post = LogPost.from_form(body)
    records = logs.parse_lines(post.lines)
    try:
        attempt = _attempt(job_id, token)
    except Forgotten:
        return JsonResponse({"line_count": len(records)})
    is_ours = _is_ours(request)
    _store(attempt, post.index, records, strict=is_ours)
    if not is_ours:  # ours tells at once
        ending_runs.note(records)
    tally.count("lava_lite_log_records_total", by=len(records))
    tally.count("lava_lite_log_bytes_total", by=len(body))
    return JsonResponse({"line_count": len(records)})


def _store(attempt: Attempt, index: int, records: list[logs.Record], *, strict: bool) -> None:
    try:
        appended = logs.append(attempt.log_directory, index, records, strict=strict, masker=_masker(attempt))
    except logs.Hole as hole:
        raise Refused(409, str(hole), expected=hole.expected) from hole
    except (OSError, logs.UnknownFormat) as error:
        log.error("The log of %s cannot be written: %s", attempt, error)
        raise Refused(503, f"The log cannot be written: {error}; send the records again later") from error
    if appended.new:
        log_live.ring()
    found = (
        results.Found(index=position, record=record)
        for position, record in enumerate(appended.records, start=index)
    )
    results.collect(attempt, found)
    steps.collect(attempt, appended)
    progress.collect(attempt, appended)
    waits.collect(attempt, appended)
    sayings.collect(attempt, appended)
    if 0 < settings.LOG_HARD_LIMIT < appended.size and not attempt.is_over:
        lifecycle.end_oversized(attempt.job_id, attempt.number)
    for deferral in _deferrals(appended.records):
        attempts.ask_for_deferral(
            attempt, timedelta(seconds=deferral.seconds), storable(deferral.reason)[:MAX_REASON]
        )


def _deferrals(records: Iterable[logs.Record]) -> Iterator[signals.Deferral]:
    """What the output of the device asks for, whichever worker reads it."""
    for record in records:
        if record.level == "target" and isinstance(record.message, str) and _DEFER in record.message:
            yield from filter(None, (signal.deferral for signal in signals.find(record.message)))


@_answers
@require_safe
def job_answers(request: HttpRequest, job_id: str) -> JsonResponse:
    """What people have answered to the job's questions, by their keys. LAVA has no such address."""
    try:
        attempt = _attempt(job_id, _token(request))
    except Forgotten:
        raise Refused(404, f"Unknown job '{job_id}'") from None
    return JsonResponse({"answers": waits.answers_for(attempt)})


def _is_ours(request: HttpRequest) -> bool:
    return request.headers.get("User-Agent", "").startswith(USER_AGENT)


def _token(request: HttpRequest) -> str:
    token = request.headers.get("LAVA-Token", "")
    if not token:
        raise Refused(400, "Missing 'token'")
    return token


def _attempt(job_id: str, token: str) -> Attempt:
    """The attempt that the token opens. Forgotten if it opened one of a job that is not here any more."""
    if not (job_id.isdecimal() and job_id.isascii() and len(job_id) < 19):
        raise Refused(404, f"Unknown job '{job_id}'")
    number = int(job_id)
    of_job = Attempt.objects.filter(job_id=number).select_related("job__device__device_type")
    known = list(of_job.order_by("-number"))
    for attempt in known:
        if opens(token, number, attempt.number):
            return attempt
    if known or Job.objects.filter(pk=number).exists():
        raise Refused(400, "Invalid 'token'")
    if opened_once(token, number):
        raise Forgotten
    raise Refused(404, f"Unknown job '{job_id}'")
