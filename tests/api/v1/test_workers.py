"""The files that a worker gets with each job, by REST v1."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from devices.models import Worker
from tests import build
from tests.api.conftest import Login

GOOD = {"config": "dispatcher_ip: 10.0.0.1\n", "env": "purge: true\n", "env-dut": "overrides: {A: b}\n"}
COLUMNS = {"config": "dispatcher_config", "env": "env", "env-dut": "env_dut"}


@pytest.mark.parametrize("word", GOOD)
def test_a_file_of_a_worker_is_set_and_shown(admin: User, login: Login, word: str) -> None:
    build.worker()
    address = f"/api/v1/workers/worker01/{word}/"

    told = login(admin).put(address, {"text": GOOD[word]})

    assert (told.status_code, login(admin).get(address).json()) == (200, {"text": GOOD[word]})
    assert getattr(Worker.objects.get(), COLUMNS[word]) == GOOD[word]


@pytest.mark.parametrize("body", [{"text": "- a list"}, {"text": 7}, {}, {"text": "a: b: c"}, {"txet": ""}])
def test_what_would_end_a_worker_is_refused(admin: User, login: Login, body: dict[str, object]) -> None:
    build.worker(env="purge: true")

    assert login(admin).put("/api/v1/workers/worker01/env/", body).status_code == 400
    assert Worker.objects.get().env == "purge: true"


@pytest.mark.parametrize("word", GOOD)
def test_who_does_not_look_after_workers_reads_and_sets_none(mallory: User, login: Login, word: str) -> None:
    build.worker(env="overrides: {PASSWORD: hush}")
    address = f"/api/v1/workers/worker01/{word}/"

    assert login(mallory).get(address).status_code == 403
    assert login(mallory).put(address, {"text": ""}).status_code == 403
    assert Worker.objects.get().env
