"""Jobs that wait for a person: a test asks for somebody's hand, and goes on when the answer is there.

The question comes with the log, as a signal with a key of the test's own choice; who answers writes the answer beside
it, and the job's worker fetches it from there. Both are rows, so nothing of it is lost with a process.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from accounts import audit
from events.outbox import Cause
from jobs.logs import Appended
from jobs.models import LONGEST_QUESTION, Attempt, Job, Wait
from jobs.moving import require_right
from jobs.signals import Signal, received

ASKED: Final = "WAITFORPERSON"  # key, seconds or 0, text
OVER: Final = "WAITOVER"  # key, and the word with which the test went on
MOST_WAITS: Final = 200  # of one attempt; what is asked beyond them is not heard

_KEY: Final = re.compile(r"[A-Za-z0-9]{1,32}")
_LONGEST_TIMEOUT: Final = 10**7  # seconds

Answer = Wait.Answer


class NotWaiting(Exception):
    """Nobody is waited for, or somebody else was quicker."""


def collect(attempt: Attempt, appended: Appended) -> None:
    """Store what these records ask of a person, and which questions need no answer any more."""
    found = [signal for signal in received(appended, (ASKED, OVER)) if _is_whole(signal)]
    if not found:
        return
    with transaction.atomic():
        running = Job.objects.locked().filter(pk=attempt.job_id, attempt=attempt.number).first()
        if running is None or running.is_finished:
            return
        for signal in found:
            if signal.name == ASKED:
                _ask(running, attempt, signal)
            else:
                _give_up(running, attempt, signal)


@transaction.atomic
def answer(job: Job, user: User, answer: Answer, *, comment: str = "", key: str = "") -> Wait:
    """Tell a job that it may go on. Without a key, the question that has waited longest is meant.

    NotAllowed says whose job it is; NotWaiting if there is no such question any more.
    """
    require_right(job, user, "answer for")
    locked: Job = Job.objects.lock(job.pk)
    questions = Wait.objects.open().filter(attempt__job=locked, attempt__number=locked.attempt)
    wait = (questions.filter(key=key) if key else questions).order_by("pk").first()
    if wait is None:
        raise NotWaiting(f"job {job.number} does not wait for a person now")
    wait.comment = comment = " ".join(comment.split())  # a line, as the test reads it
    _end(wait, answer, by=user.get_username())
    words = f"{answer.label}: {comment}" if comment else str(answer.label)
    _tell(locked, "job.resumed", Cause(kind="user", actor=user.get_username(), reason=words))
    audit.note(user, locked, f"Answered “{wait.text}”: {words}")
    return wait


def answers_for(attempt: Attempt) -> Mapping[str, Mapping[str, str]]:
    """By the key of their questions: what the job's worker fetches."""
    answered = Wait.objects.filter(attempt=attempt, answer__in=(Answer.DONE, Answer.FAILED))
    rows = answered.values_list("key", "answer", "comment")
    return {key: {"answer": word, "comment": comment} for key, word, comment in rows}


def close(job: Job) -> None:
    """The attempt is over, and nobody needs to answer any more. The job's row must be locked."""
    Wait.objects.open().filter(attempt__job=job).update(answer=Answer.ENDED, answered=timezone.now())


def _is_whole(signal: Signal) -> bool:
    words = signal.words
    if not words or not _KEY.fullmatch(words[0]):
        return False
    return signal.name == OVER or (len(words) > 2 and words[1].isascii() and words[1].isdigit())


def _ask(job: Job, attempt: Attempt, signal: Signal) -> None:
    key, seconds, *words = signal.words
    known = Wait.objects.filter(attempt=attempt)
    if known.filter(key=key).exists() or known.count() >= MOST_WAITS:
        return
    since, timeout = timezone.now(), min(int(seconds[:8]), _LONGEST_TIMEOUT)
    wait = Wait.objects.create(
        attempt=attempt,
        key=key,
        text=" ".join(words)[:LONGEST_QUESTION],
        since=since,
        until=since + timedelta(seconds=timeout) if timeout else None,
    )
    _tell(job, "job.waiting", Cause(kind="worker", actor=attempt.worker_name, reason=wait.text))


def _give_up(job: Job, attempt: Attempt, signal: Signal) -> None:
    """The test has gone on by itself; with the answer, if there is one."""
    wait = Wait.objects.open().filter(attempt=attempt, key=signal.words[0]).first()
    if wait is None:
        return
    _end(wait, Answer.TIMEOUT)
    reason = f"{wait.text}: nobody answered in time"
    _tell(job, "job.resumed", Cause(kind="timer", actor=attempt.worker_name, reason=reason))


def _end(wait: Wait, answer: Answer, *, by: str = "") -> None:
    wait.answer, wait.answered, wait.answered_by = answer, timezone.now(), by
    wait.save()


def _tell(job: Job, event: str, cause: Cause) -> None:
    job.tell(event, cause=cause)
    job.save(update_fields=["state"])
