from __future__ import annotations

from typing import Any

import pytest

from lava_lite.client.api import Api
from lava_lite.client.errors import Problem, Unreachable
from lava_lite.client.exits import MEANINGS, OUTCOMES, Exit, of_outcome, worst
from lava_lite.client.http import Answer, Request


def api(status: int, body: bytes, **headers: str) -> Api:
    def send(request: Request) -> Answer:
        return Answer(status=status, headers=headers, body=body)

    return Api(send)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, Exit.USAGE),
        (401, Exit.NOT_ALLOWED),
        (403, Exit.NOT_ALLOWED),
        (404, Exit.NOT_ALLOWED),
        (405, Exit.NOT_ALLOWED),
        (409, Exit.USAGE),
        (413, Exit.USAGE),
        (415, Exit.USAGE),
    ],
)
def test_a_refusal_has_the_exit_code_of_its_kind(status: int, code: Exit) -> None:
    with pytest.raises(Problem) as refused:
        api(status, b'{"title": "No", "detail": "not so"}').get("jobs/")

    assert refused.value.code == code
    assert refused.value.lines() == ["lava-lite: No: not so"]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_a_server_in_trouble_may_be_asked_again(status: int) -> None:
    with pytest.raises(Unreachable, match=f"cannot answer now: {status}"):
        api(status, b"<html>Bad Gateway</html>").get("jobs/")


def test_a_busy_server_says_why() -> None:
    with pytest.raises(Unreachable, match=r"503, The database is busy\."):
        api(503, b'{"detail": "The database is busy."}').get("jobs/")


def test_something_else_that_answers_is_no_lab() -> None:
    with pytest.raises(Unreachable, match="there is no lava_lite of this version"):
        api(404, b"<html>").get("jobs/")
    with pytest.raises(Unreachable, match="is no JSON"):
        api(200, b"<html>").get("jobs/")
    with pytest.raises(Unreachable, match="no lava_lite"):
        api(200, b'{"name": "another"}').system()
    with pytest.raises(Unreachable, match="log-tail has no 'new_size'"):
        api(200, b'{"content": ""}').log_tail(12)


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"title": null}',
        b'{"errors": []}',
        b'{"faults": {"a": 1}}',
        b'{"faults": [1, {"line": "x"}]}',
        b'{"errors": {"a": "b"}}',
    ],
)
def test_an_odd_refusal_is_told_all_the_same(body: bytes) -> None:
    with pytest.raises(Problem) as refused:
        api(400, body).get("jobs/")

    assert refused.value.lines()[0] == "lava-lite: the server answers 400"


@pytest.mark.parametrize("page", [{}, {"items": []}, {"items": [], "next": "?before=1"}])
def test_a_page_with_nothing_ends_a_list(page: dict[str, Any]) -> None:
    import json

    assert list(api(200, json.dumps(page).encode()).items("jobs/", limit=50)) == []


def test_every_exit_code_has_a_meaning_and_a_rank() -> None:
    assert set(MEANINGS) == set(Exit)
    ranked = [code for code in Exit if code not in (Exit.INTERRUPTED, Exit.BROKEN_PIPE)]
    assert {worst([code]) for code in ranked} == set(ranked)
    assert worst([]) == Exit.OK


@pytest.mark.parametrize("outcome", [*OUTCOMES, None])
def test_every_outcome_has_its_exit_code(outcome: str | None) -> None:
    assert of_outcome(outcome) == (OUTCOMES[outcome] if outcome else Exit.OK)
