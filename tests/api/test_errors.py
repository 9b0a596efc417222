from __future__ import annotations

from typing import Any

import pytest
from django.db import InterfaceError, OperationalError

from accounts.rights import NotAllowed
from api.errors import answer
from devices.lifecycle import DeviceBusy
from jobs.definition import Fault, InvalidDefinition
from jobs.models import Job
from jobs.states import InvalidMove


@pytest.mark.parametrize(
    ("error", "status", "data"),
    [
        (NotAllowed("not yours"), 403, {"message": "not yours"}),
        (DeviceBusy("qemu01 is Running"), 409, {"message": "qemu01 is Running"}),
        (InvalidMove("no way"), 409, {"message": "no way"}),
        (
            InvalidDefinition(
                [Fault(path="actions[0]", message="wrong", line=3), Fault(path="", message="bad", line=None)]
            ),
            400,
            {"message": "actions[0]: wrong (line 3)\nbad"},
        ),
        (Job.DoesNotExist("Job matching query does not exist."), 404, {"detail": "Not found."}),
    ],
)
def test_each_error_has_its_answer(error: Exception, status: int, data: dict[str, Any]) -> None:
    response = answer(error, {})

    assert response is not None
    assert (response.status_code, response.data) == (status, data)


@pytest.mark.parametrize("error", [OperationalError("database is locked"), InterfaceError("closed")])
def test_a_busy_database_is_answered_with_when_to_come_again(error: Exception) -> None:
    response = answer(error, {})

    assert response is not None
    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert "locked" not in str(response.data)


def test_an_error_that_nobody_expected_is_not_dressed_up() -> None:
    assert answer(ZeroDivisionError(), {}) is None
