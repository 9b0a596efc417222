"""What a worker is given to run a job: made when it asks, checked before it gets anything."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings

from devices import configuration, worker_files
from devices import lifecycle as devices
from devices.dictionary import InvalidDictionary
from devices.models import Device, Worker
from devices.worker_files import FILES
from jobs import definition as definitions
from jobs import given_tokens, lifecycle
from jobs.definition import Definition
from jobs.lifecycle import Ending
from jobs.models import Attempt, Job
from jobs.secrets import inside
from jobs.states import InvalidMove
from workers.messages import BadMessage, ErrorType, JobFiles

log = logging.getLogger(__name__)


class CannotRun(Exception):
    """A job, or the device that it was given, is such that no worker could begin; the text says why."""

    error_type = ErrorType.CONFIGURATION
    bad_device = ""  # the name of a device that no job can use


class BadDevice(CannotRun):
    def __init__(self, device: Device, why: InvalidDictionary) -> None:
        super().__init__(f"the configuration of {device.name} cannot be used: {why}")
        self.bad_device = device.name


class BadContext(CannotRun):
    """The configuration is in order without what the job says: the device is not to blame."""

    error_type = ErrorType.JOB

    def __init__(self, device: Device, why: InvalidDictionary) -> None:
        super().__init__(f"with the job's context, the configuration of {device.name} cannot be used: {why}")


def of(attempt: Attempt) -> JobFiles:
    """CannotRun if no worker could begin with what there is."""
    job = attempt.job
    definition = _definition(job)
    device = _device(job, definition)
    worker = job.device.worker if job.device else None
    dispatcher, env, env_dut = (_of_worker(worker, column) for column in FILES)
    files = JobFiles(
        definition=_for_worker(attempt, definition),
        device=device,
        dispatcher=dispatcher,
        env=env,
        env_dut=env_dut,
    )
    try:
        files.check()
    except BadMessage as wrong:
        raise CannotRun(str(wrong)) from wrong
    return files


def end(attempt: Attempt, why: CannotRun) -> None:
    """End an attempt that cannot be run. Whatever dies between the two, the worker asks again and they are repeated."""
    if why.bad_device:
        devices.condemn(why.bad_device, reason=str(why))
    ending = Ending(passed=False, error_type=why.error_type, errors=str(why))
    try:
        lifecycle.finish(attempt.job_id, ending, worker=attempt.worker_name, attempt=attempt.number)
    except (InvalidMove, Job.DoesNotExist) as gone:
        log.warning("%s was ended meanwhile: %s", attempt, gone)
    log.warning("%s: %s", attempt, why, extra={"action": "job_not_given", "job": attempt.job_id})


def _definition(job: Job) -> Definition:
    # Whatever was accepted goes out, also when the limit for new ones is another meanwhile.
    return definitions.parse(job.definition, max_bytes=len(job.definition.encode()))


def _for_worker(attempt: Attempt, definition: Definition) -> str:
    job, roles = attempt.job, None
    if job.group is not None:
        mates = job.group.jobs.order_by("member").values_list("pk", "role")
        roles = {str(pk): role for pk, role in mates}
    return definition.for_worker(sub_id=job.member, roles=roles, tokens=_tokens(attempt, definition))


def _tokens(attempt: Attempt, definition: Definition) -> dict[str, str]:
    """The submitter's that the definition names, by their names; noted before the worker has them."""
    kept = dict(attempt.job.submitter.remote_tokens.values_list("name", "secret"))
    words = {word for word in inside(definition.data) if isinstance(word, str)} if kept else set()
    tokens = {name: secret for name, secret in kept.items() if name in words}
    if tokens:
        given_tokens.note(attempt, tokens)
    return tokens


def _of_worker(worker: Worker | None, column: str) -> str:
    """The worker's own file, else the lab's; checked again, as what is no YAML would end the worker."""
    path = Path(settings.WORKER_FILES) / FILES[column]
    text: str = getattr(worker, column, "")
    place = f"{column} of {worker}" if text else str(path)
    try:
        if not text and path.is_file():
            text = path.read_text(encoding="utf-8")
        worker_files.check(column, text)
    except (OSError, ValueError) as wrong:
        raise CannotRun(f"{place} cannot be used: {wrong}") from wrong
    return text if text.strip() else ""


def _device(job: Job, definition: Definition) -> str:
    if job.device is None:
        return "{}"
    text = job.device.configuration
    context: Mapping[str, Any] = definition.data.get("context") or {}
    try:
        return configuration.for_worker(text, context)
    except InvalidDictionary as wrong:
        raise _blame(job.device, wrong, has_context=bool(context)) from wrong


def _blame(device: Device, wrong: InvalidDictionary, *, has_context: bool) -> CannotRun:
    """Whose fault it is. Else anybody who may submit a job could take a device out of service."""
    if not has_context:
        return BadDevice(device, wrong)
    try:
        configuration.check(device.configuration)
    except InvalidDictionary as without:
        return BadDevice(device, without)
    return BadContext(device, wrong)
