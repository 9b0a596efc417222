"""`{% status subscription|subscription_look %}`: the looks of subscriptions for templates."""

from __future__ import annotations

from django import template

from events import looks

register = template.Library()
register.filter("subscription_look", looks.of_subscription)
