"""Time that an answer reaches over."""

from __future__ import annotations

from itertools import product

import pytest
from rest_framework.test import APIClient

from tests import build

pytestmark = pytest.mark.django_db

V1 = "/api/v1"
EXTREMES = ("", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z")


@pytest.mark.parametrize(("since", "until"), list(product(EXTREMES, repeat=2)))
@pytest.mark.parametrize(
    "path", ["queue/history/", "devices/qemu01/availability/", "device-types/qemu/durations/"]
)
def test_the_first_and_the_last_moment_of_all_are_times(
    anyone: APIClient, path: str, since: str, until: str
) -> None:
    build.device()
    told = {name: value for name, value in (("since", since), ("until", until)) if value}

    answer = anyone.get(f"{V1}/{path}", told)

    assert answer.status_code in (200, 400), answer.content
