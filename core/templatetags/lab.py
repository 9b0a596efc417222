"""Words that the templates use: icons, states, times as people say them, and text in a `<pre>`."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache

from django import template
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

from core.looks import Look
from core.numbers import plain

register = template.Library()

UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))

# Long lists draw the same few hundred times; kept as text, they cost nothing.
_drawn_once = lru_cache(maxsize=1024)


@register.simple_tag
@_drawn_once
def icon(name: str, *, turning: bool = False) -> SafeString:
    return format_html(
        '<svg class="icon{}" aria-hidden="true"><use href="{}#{}"></use></svg>',
        " turning" if turning else "",
        static("img/icons.svg"),
        name,
    )


@register.simple_tag
@_drawn_once
def status(look: Look, shape: str = "") -> SafeString:
    """A state by icon, word and colour; `shape="pill"` lays the colour behind it, too."""
    drawing = icon(look.icon, turning=look.turning)
    return format_html('<span class="status {} {}">{}{}</span>', look.tone, shape, drawing, look.word)


@register.filter
def duration(length: timedelta | None) -> str:
    """Two units at most: `3 min 20 s`; nothing for None."""
    if length is None:
        return ""
    left = max(0, int(length.total_seconds()))
    parts: list[str] = []
    for unit, seconds in UNITS:
        count, left = divmod(left, seconds)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])


@register.filter
def ago(moment: datetime | None) -> SafeString | str:
    """`5 min ago`, with the exact time for machines and on hover; nothing for None."""
    if moment is None:
        return ""
    words = _largest(timezone.now() - moment)
    return _time(moment, f"{words} ago" if words else "just now")


@register.filter
def moment(moment: datetime) -> SafeString:
    """The exact time, in the zone of the lab."""
    return _time(moment, _exact(timezone.localtime(moment)))


@register.filter
def clock(moment: datetime) -> SafeString:
    """`15:30`, with the day if it is another one than today, in the zone of the lab."""
    local = timezone.localtime(moment)
    is_today = local.date() == timezone.localdate()
    return _time(moment, local.strftime("%H:%M" if is_today else "%Y-%m-%d %H:%M"))


def _time(moment: datetime, words: str) -> SafeString:
    local = timezone.localtime(moment)
    machine = local.isoformat(timespec="seconds")
    return format_html('<time datetime="{}" title="{}">{}</time>', machine, _exact(local), words)


def _exact(local: datetime) -> str:
    return local.strftime("%Y-%m-%d %H:%M:%S %Z")


def _largest(length: timedelta) -> str:
    seconds = int(length.total_seconds())
    for unit, size in UNITS[:-1]:
        if seconds >= size:
            return f"{seconds // size} {unit}"
    # Seconds are told in steps of ten, so that a page which renews itself does not flicker.
    return f"{seconds // 10 * 10} s" if seconds >= 10 else ""


@register.filter
def measurement(value: Decimal) -> str:
    return plain(value)


@register.filter
def preformatted(text: str) -> SafeString:
    """Text for the inside of a `<pre>` such that the browser ends up with exactly that text.

    HTML parsers drop a line break right after the tag, turn carriage returns into line feeds and leave out NUL.
    """
    kept = escape(text).replace("\r", "&#13;").replace("\0", "\N{REPLACEMENT CHARACTER}")
    return mark_safe("\n" + kept)
