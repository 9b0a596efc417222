"""`{% status job|job_look %}`: the looks of jobs and results for templates."""

from __future__ import annotations

from django import template

from jobs import looks

register = template.Library()
register.filter("job_look", looks.of_job)
register.filter("lava_state_look", looks.of_lava_state)
register.filter("attempt_look", looks.of_attempt)
register.filter("result_look", looks.of_result)
