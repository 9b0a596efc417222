from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from jobs.models import Job
from jobs.states import State
from tests import build

BEFORE_OUTCOME = [("jobs", "0004_results_in_order")]


@pytest.fixture
def latest(transactional_db: None) -> Iterator[None]:
    """The tables as they are now, whatever happens."""
    yield
    _migrate(MigrationExecutor(connection).loader.graph.leaf_nodes())


def test_jobs_that_ended_before_outcomes_were_kept_have_theirs(latest: None) -> None:
    alice = build.user("alice")
    endings = {"pass": build.PASSED, "fail": build.FAILED, "infrastructure": build.BROKEN}
    expected = {
        build.job(submitter=alice, state=State.FINISHED, ending=ending).pk: outcome
        for outcome, ending in endings.items()
    }
    with_failure = build.job(submitter=alice, state=State.FINISHED)
    build.case(with_failure, result="fail")
    tried_again = build.job(submitter=alice, state=State.FINISHED)
    build.case(tried_again, suite="lava", result="fail")
    waiting = build.job(submitter=alice)
    expected |= {with_failure.pk: "fail", tried_again.pk: "pass", waiting.pk: ""}

    _migrate(BEFORE_OUTCOME)
    _migrate(MigrationExecutor(connection).loader.graph.leaf_nodes())

    assert dict(Job.objects.values_list("pk", "outcome")) == expected


def _migrate(targets: list[tuple[str, str]]) -> None:
    MigrationExecutor(connection).migrate(targets)
