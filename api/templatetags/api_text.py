"""The little markup that docstrings of operations have."""

from __future__ import annotations

import re

from django import template
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString, mark_safe

register = template.Library()


@register.filter
def marked(text: str) -> SafeString:
    """`code` and *words that matter*."""
    escaped = str(conditional_escape(text))
    with_code = re.sub(r"`([^`]+)`", r"<code>\1</code>", escaped)
    return mark_safe(re.sub(r"\*([\w, ]+)\*", r"<em>\1</em>", with_code))
