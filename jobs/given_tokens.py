"""What workers were given of a submitter's tokens for other servers: kept for as long as logs must hide it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from jobs.models import Attempt

KEPT_FOR = timedelta(hours=1)  # after the end, when a worker may still send what it could not send before


@transaction.atomic
def note(attempt: Attempt, tokens: Mapping[str, str]) -> None:
    """Secrets by their names, before the worker has them. What it was given earlier stays."""
    held = Attempt.objects.select_for_update().get(pk=attempt.pk)
    held.given_tokens = (held.given_tokens or {}) | {secret: name for name, secret in tokens.items()}
    held.save(update_fields=["given_tokens"])


def forget() -> None:
    """Those of attempts that are over, and of which nothing runs any more."""
    over = Attempt.objects.filter(ended__lt=timezone.now() - KEPT_FOR, unconfirmed_since__isnull=True)
    over.filter(given_tokens__isnull=False).update(given_tokens=None)
