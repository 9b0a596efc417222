"""`{% status job|job_look %}`: the looks of jobs, results and steps for templates."""

from __future__ import annotations

from django import template

from jobs import looks
from jobs.models import Step

register = template.Library()
register.filter("job_look", looks.of_job)
register.filter("lava_state_look", looks.of_lava_state)
register.filter("attempt_look", looks.of_attempt)
register.filter("result_look", looks.of_result)


@register.simple_tag
def step_address(step: Step, attempt_query: str) -> str:
    """Of the place in the log where the step begins; `attempt_query` names the attempt if it is not the latest."""
    place = "" if step.offset is None else f"&from={step.offset}"
    return f"?tab=log{attempt_query}{place}"
