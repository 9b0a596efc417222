"""Users' tokens. Users and groups are Django's own."""

from __future__ import annotations

import hashlib
import secrets
import string
from contextlib import suppress
from datetime import datetime, timedelta
from typing import ClassVar

from django.conf import settings
from django.contrib.auth.models import User
from django.db import OperationalError, models
from django.utils import timezone

from core import rows
from core.database import impatient

ALPHABET = string.ascii_lowercase + string.digits  # clients splice tokens into addresses without quoting them
LENGTH = 64
USED_PRECISION = timedelta(minutes=1)


def digest(secret: str) -> str:
    """What is stored in place of a secret; a long random secret needs no salt and no slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def make_secret() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


class Scope(models.IntegerChoices):
    """What a token may be used for, within what its user may do; each includes those before it."""

    READ = 1, "read"  # look at what its user sees
    SUBMIT = 2, "submit"  # also submit, cancel and run again jobs
    FULL = 3, "full"  # whatever its user may


class TokenQuerySet(models.QuerySet["Token"]):
    def issue(
        self,
        user: User,
        *,
        description: str = "",
        expires: datetime | None = None,
        scope: Scope = Scope.FULL,
    ) -> str:
        """Make a token for `user`; its secret is returned this once and never stored."""
        secret = make_secret()
        self.create(user=user, digest=digest(secret), description=description, expires=expires, scope=scope)
        return secret


class Token(models.Model):
    """A secret that acts for a user in the APIs; only its digest is kept."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="tokens")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    description = models.CharField(max_length=200, blank=True)
    scope = models.PositiveSmallIntegerField(choices=Scope.choices, default=Scope.FULL)
    created = models.DateTimeField(default=timezone.now, editable=False)
    expires = models.DateTimeField(null=True, blank=True)
    last_used = models.DateTimeField(null=True, blank=True, editable=False)

    objects = TokenQuerySet.as_manager()

    class Meta:
        ordering = ["-created"]

    def __str__(self) -> str:
        return self.description or f"token of {self.user}"

    @classmethod
    def of(cls, secret: str) -> Token | None:
        """With its user; None for an unknown, expired or revoked one, or a user who may not log in."""
        joined = f"JOIN {User._meta.db_table} ON {User._meta.db_table}.id = user_id WHERE digest = %s"
        for token, user in rows.pairs(Token, User, joined, [digest(secret)]):
            token.user = user
            if user.is_active and not token.is_expired:
                token._note_use()
                return token
        return None

    def _note_use(self) -> None:
        now = timezone.now()
        if self.last_used is not None and now - self.last_used <= USED_PRECISION:
            return
        # Reading must not wait for whoever writes just now; the next use is noted then.
        with suppress(OperationalError), impatient():
            Token.objects.filter(pk=self.pk).update(last_used=now)

    @property
    def is_expired(self) -> bool:
        return self.expires is not None and self.expires <= timezone.now()

    def allows(self, scope: Scope) -> bool:
        return self.scope >= scope


class RemoteToken(models.Model):
    """A secret of a user's for other servers. Jobs name it, and only their workers get it, so it is kept as it is."""

    LONGEST_NAME: ClassVar = 100
    LONGEST_SECRET: ClassVar = 10_000

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="remote_tokens")
    name = models.CharField(max_length=LONGEST_NAME)
    secret = models.TextField()

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["user", "name"], name="one_remote_token_of_name")]

    def __str__(self) -> str:
        return self.name
