"""LambdaCD's dialect: what its topics carry, for plugins on the bus.

The payload is the event's own, with LambdaCD's keys in Python's spelling beside it. A job is a build, and its number the
number of the build.
"""

from __future__ import annotations

from typing import Any, Final

from events.models import Event

STARTED, FINISHED = "pipeline-started", "pipeline-finished"
STEP_FINISHED: Final = "step-finished"

SUCCESS, FAILURE, RUNNING, KILLED = "success", "failure", "running", "killed"

OF_STEPS: Final = {
    "running": RUNNING,
    "pass": SUCCESS,
    "fail": FAILURE,
    "canceled": KILLED,
    "unfinished": KILLED,  # what ended the attempt has ended it
}
OF_JOBS: Final = {"job.completed": SUCCESS, "job.canceled": KILLED}  # any other end is a failure


def payload(event: Event, topic: str) -> dict[str, Any]:
    """Of an event that has this topic of LambdaCD's in the catalogue."""
    told = {**event.payload, "build_number": event.data["job"]}
    if topic == STARTED:
        return told
    if topic == FINISHED:
        return told | {"status": OF_JOBS.get(event.type, FAILURE), "outputs": _outputs(event)}
    result = {"status": OF_STEPS[event.data["state"]], "name": event.data["name"]}
    return told | {"final_result" if topic == STEP_FINISHED else "step_result": result}


def _outputs(event: Event) -> dict[tuple[int, ...], dict[str, Any]]:
    """The last result of each step of the attempt, by its step_id."""
    ended = Event.objects.filter(job_id=event.job_id, attempt=event.attempt, type="step.finished")
    rows = ended.order_by("job_sequence").values_list("data", flat=True)
    return {
        tuple(data["step_id"]): {"status": OF_STEPS[data["state"]], "name": data["name"]} for data in rows
    }
