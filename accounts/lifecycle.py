"""The verbs for people and their tokens. Each asks for the right to it, and notes it in the audit trail."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from django.contrib.auth.models import Group, Permission, User
from django.db import transaction
from django.db.models import Q, QuerySet

from accounts import audit
from accounts.models import RemoteToken, Token
from accounts.rights import NotAllowed

T = TypeVar("T", Token, RemoteToken)


class LastAdministrator(Exception):
    """Without any superuser who may log in, nobody could repair the lab's rights."""


def permissions_of(user: User) -> QuerySet[Permission]:
    """Those that a user has, and may therefore give."""
    everything = Permission.objects.all()
    if user.is_superuser:
        return everything
    return everything.filter(Q(user=user) | Q(group__user=user)).distinct()


def groups_of(user: User) -> QuerySet[Group]:
    """Those that a user may put others into: a group's rights come with it."""
    return Group.objects.all() if user.is_superuser else user.groups.all()


def may_manage_group(user: User, group: Group) -> bool:
    """Whether the group holds no permission that the user lacks."""
    return user.is_superuser or not group.permissions.exclude(pk__in=permissions_of(user)).exists()


def may_manage(user: User, other: User) -> bool:
    """Whether the other has no right that the user lacks: who changes somebody's password can act as them."""
    if user.is_superuser:
        return True
    more_groups = other.groups.exclude(pk__in=groups_of(user))
    more_permissions = other.user_permissions.exclude(pk__in=permissions_of(user))
    return not (other.is_superuser or more_groups.exists() or more_permissions.exists())


@transaction.atomic
def set_active(users: Iterable[User], *, active: bool, by: User, reason: str = "") -> list[User]:
    """Let people log in and their tokens work, or end both at once; returns those whose state changed.

    All or none. NotAllowed for somebody with more rights; LastAdministrator if nobody could repair the lab then.
    """
    keys = [user.pk for user in users]
    rows = list(User.objects.select_for_update().filter(pk__in=keys).order_by("pk"))
    if above := [user.username for user in rows if not may_manage(by, user)]:
        raise NotAllowed(f"{', '.join(above)} may do more than you; ask a superuser.")
    changed = [user for user in rows if user.is_active != active]
    for user in changed:
        user.is_active = active
        user.save(update_fields=["is_active"])
    if any(user.is_superuser for user in changed):
        keep_an_administrator()
    audit.note_each(by, changed, f"{'Activated' if active else 'Deactivated'}: {reason or 'no reason given'}")
    return changed


@transaction.atomic
def revoke(tokens: Iterable[Token], *, by: User, reason: str = "") -> None:
    """End tokens for good. NotAllowed for somebody else's, unless `by` is a superuser."""
    _delete(Token, tokens, "Revoked", by=by, reason=reason)


@transaction.atomic
def keep_remote_token(user: User, name: str, secret: str) -> tuple[RemoteToken, bool]:
    """Keep a user's secret for another server, in place of an older one of this name; with whether it is new.

    ValueError says what is wrong with the name or the secret.
    """
    check_printable("name", name, RemoteToken.LONGEST_NAME)
    check_printable("token", secret, RemoteToken.LONGEST_SECRET)
    token, is_new = RemoteToken.objects.update_or_create(user=user, name=name, defaults={"secret": secret})
    note = ("Kept a token for another server", audit.ADDITION) if is_new else ("Replaced", audit.CHANGE)
    audit.note(user, token, note[0], kind=note[1])
    return token, is_new


@transaction.atomic
def forget_remote_tokens(tokens: Iterable[RemoteToken], *, by: User, reason: str = "") -> None:
    """Jobs that name them and have not begun get the bare name. NotAllowed for others', unless `by` is a superuser."""
    _delete(RemoteToken, tokens, "Forgotten", by=by, reason=reason)


def _delete(model: type[T], tokens: Iterable[T], word: str, *, by: User, reason: str) -> None:
    gone = list(tokens)
    if not by.is_superuser and any(token.user_id != by.pk for token in gone):
        raise NotAllowed("these are not all your tokens; ask a superuser.")
    audit.note_each(by, gone, f"{word}: {reason or 'no reason given'}", kind=audit.DELETION)
    model._default_manager.filter(pk__in=[token.pk for token in gone]).delete()


def check_printable(what: str, text: object, longest: int) -> None:
    """ValueError for what could not stand in one line of a header."""
    if not isinstance(text, str) or not 0 < len(text) <= longest or not text.isprintable():
        raise ValueError(f"{what}: expected a text of 1 to {longest:,} printable characters")


def keep_an_administrator() -> None:
    """Called at the end of a transaction that changed users. The lock makes two who demote each other wait."""
    administrators = User.objects.select_for_update().filter(is_superuser=True, is_active=True)
    if not list(administrators.order_by("pk")):
        raise LastAdministrator(
            "this is the last superuser who may log in. Make somebody else a superuser first."
        )
