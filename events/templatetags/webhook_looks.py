"""`{% status webhook|webhook_look %}`: the looks of webhooks and deliveries for templates."""

from __future__ import annotations

from django import template

from events import looks

register = template.Library()
register.filter("webhook_look", looks.of_webhook)
register.filter("delivery_look", looks.of_delivery)
