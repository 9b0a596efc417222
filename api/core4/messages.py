"""What a client of core4's socket says to others on a channel: an event of the lab, `custom.` and the channel.

So it is kept and told like every other event, on every transport, to everybody who listens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from django.core.cache import cache
from django.db import connection

from accounts.models import Scope, Token
from accounts.visitors import Unwelcome, Visitor
from api.core4.interest import BadFrame
from events import custom
from events.catalogue import CATALOGUE
from events.custom import BadSaying
from events.models import Event

MOST_PER_MINUTE: Final = 60  # of a user, in each process by itself
OF_THE_LAB: Final = frozenset(entry.subject for entry in CATALOGUE.values())  # where the lab alone speaks


class NotHeard(Exception):
    """A message that is not passed on; says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    channel: str
    text: str

    @classmethod
    def of(cls, frame: Mapping[str, Any]) -> Self:
        """Of a frame that holds one. BadFrame for what cannot be told."""
        channel, text = frame.get("channel"), frame.get("text")
        if not isinstance(channel, str) or not isinstance(text, str) or not channel or not text:
            raise BadFrame(
                'expected a message with a channel and a text, as {"channel": "chat", "text": "hello"}'
            )
        channel = channel.lower()
        if (word := channel.partition(".")[0]) in OF_THE_LAB:
            raise BadFrame(f"channel: only the lab itself speaks on {word!r} and below")
        try:
            custom.type_of(channel)
            custom.check_message(text)
        except BadSaying as bad:
            raise BadFrame(str(bad)) from None
        return cls(channel=channel, text=text)


def tell(message: Message, visitor: Visitor) -> Event:
    """For a thread of its own. NotHeard if the visitor may not speak, or not so much; Unwelcome if it is gone."""
    try:
        token = _token_of(visitor)
        _check_pace(token.user_id)
        name = token.user.get_username()
        return custom.say(message.channel, message.text, by=name, public=True, kind="user")
    finally:
        connection.close()


def _token_of(visitor: Visitor) -> Token:
    if visitor.token_id is None:
        # No cookie alone, which a browser sends along whatever page has opened the socket.
        raise NotHeard("messages are taken from those only who connect with a token")
    token = Token.objects.select_related("user").filter(pk=visitor.token_id).first()
    if token is None or not token.user.is_active:
        raise Unwelcome("What opened this stream is expired or revoked.")
    if token.scope < Scope.SUBMIT:
        reach = Scope(token.scope).label
        raise NotHeard(f"this token is for {reach} only; a message takes one for {Scope.SUBMIT.label}")
    return token


def _check_pace(user_id: int) -> None:
    key = f"messages:{user_id}"
    cache.add(key, 0, 60)
    try:
        said = cache.incr(key)
    except ValueError:  # the minute was over just now
        return
    if said > MOST_PER_MINUTE:
        raise NotHeard(f"you say too much: {MOST_PER_MINUTE} messages a minute are the limit")
