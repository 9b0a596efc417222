"""`{% status device|health_look %}`: the looks of devices and workers for templates."""

from __future__ import annotations

from django import template

from devices import looks

register = template.Library()
register.filter("health_look", looks.of_health)
register.filter("state_look", looks.of_state)
register.filter("previous_look", looks.of_previous)
register.filter("worker_look", looks.of_worker)
register.filter("worker_state_look", looks.of_worker_state)
register.filter("worker_health_look", looks.of_worker_health)
register.filter("ailment", looks.of_ailment)
