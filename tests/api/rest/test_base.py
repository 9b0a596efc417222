"""What holds for every address: forms of bodies, broken bytes, wrong addresses, sizes."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from api.rest.base import MOST_BYTES
from jobs.models import Job
from tests import build
from tests.api.conftest import Login

VALIDATE = "/api/v0.2/jobs/validate/"
JOBS = "/api/v0.2/jobs/"
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=b"


def part(value: bytes) -> bytes:
    return b'--b\r\nContent-Disposition: form-data; name="definition"\r\n\r\n' + value + b"\r\n--b--\r\n"


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        (JSON, b"{", "JSON parse error"),
        (JSON, b'{"definition": "\xff"}', "the body is not UTF-8"),
        (JSON, b'{"definition": NaN}', "NaN"),
        (JSON, b"[" * 100_000, "nested too deeply"),
        (JSON, b"1" * 10_000, "JSON parse error"),
        (JSON, b'{"definition": "a\\u0000b"}', "Null characters"),
        (JSON, b'{"definition": "\\ud800"}', "urrogate"),
        (JSON, b'{"\\ud800": "\\ud800"}', "required"),
        (f"{JSON}; charset=utf-16", b"{", "JSON parse error"),
        (FORM, b"definition=%ff", "the body is not UTF-8"),
        (FORM, b"definition=\xff", "the body is not UTF-8"),
        (FORM, b"definition=a%00b", "Null characters"),
        (FORM, b"&".join(b"x=1" for _ in range(2_000)), "exceeded"),
        (f"{FORM}; charset=utf-16", b"definition=%ff", "the body is not UTF-8"),
        (MULTIPART, part(b"\xff"), "the body is not UTF-8"),
        (MULTIPART, part(b"a\0b"), "Null characters"),
        (MULTIPART, b"--", "definition"),
        ("multipart/form-data", part(b"x"), "boundary"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_with_the_reason(
    anyone: APIClient, kind: str, body: bytes, words: str
) -> None:
    answer = anyone.generic("POST", VALIDATE, body, content_type=kind)

    assert answer.status_code == 400
    assert words in answer.content.decode()


def test_a_body_of_another_kind_is_not_supported(anyone: APIClient) -> None:
    answer = anyone.generic("POST", VALIDATE, b"job_name: x", content_type="application/yaml")

    assert answer.status_code == 415
    assert "application/yaml" in answer.json()["detail"]


def test_a_body_that_is_too_large_is_refused_before_it_is_read(anyone: APIClient) -> None:
    answer = anyone.generic("POST", VALIDATE, b"x" * (MOST_BYTES + 1), content_type=JSON)

    assert answer.status_code == 413
    assert str(MOST_BYTES) in answer.json()["detail"]


def test_a_field_of_a_form_that_is_too_large_is_refused(anyone: APIClient, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000

    answer = anyone.generic("POST", VALIDATE, part(b"x" * 2_000), content_type=MULTIPART)

    assert answer.status_code == 413


def test_a_definition_that_is_too_large_is_refused(alice: User, login: Login, settings: Any) -> None:
    answer = login(alice).post(JOBS, {"definition": "x" * (settings.DEFINITION_LIMIT + 1)})

    assert answer.status_code == 400
    assert "larger than" in answer.json()["message"]


@pytest.mark.parametrize("path", [JOBS, "/api/v0.2/system/version/", "/api/v0.2/nosuch/"])
@pytest.mark.parametrize(("query", "words"), [("state=%ff", "not UTF-8"), ("submitter=a%00", "NUL")])
def test_a_query_that_cannot_be_read_is_refused(anyone: APIClient, path: str, query: str, words: str) -> None:
    answer = anyone.get(f"{path}?{query}")

    if path.endswith("nosuch/"):
        assert answer.status_code == 404
    else:
        assert answer.status_code == 400
        assert words in answer.json()["detail"]


def test_a_query_of_too_many_parameters_is_refused(anyone: APIClient) -> None:
    answer = anyone.get(JOBS + "?" + "&".join("x=1" for _ in range(2_000)))

    assert answer.status_code == 400


def test_the_character_set_of_a_body_does_not_matter_to_the_query(alice: User, anyone: APIClient) -> None:
    build.job(submitter=alice)

    answer = anyone.generic("GET", f"{JOBS}?submitter=alice", content_type=f"{JSON}; charset=utf-16")

    assert (answer.status_code, answer.json()["count"]) == (200, 1)


@pytest.mark.parametrize(
    "path", ["/api/v0.2/nosuch/", "/api/v0.2/nosuch", "/api/nosuch", "/api/", "/api/v0.2/jobs/1/nosuch"]
)
@pytest.mark.parametrize("method", ["get", "post", "delete", "options"])
def test_an_address_that_is_not_there_is_not_found_in_json(anyone: APIClient, path: str, method: str) -> None:
    answer = getattr(anyone, method)(path)

    assert (answer.status_code, answer.json()) == (404, {"detail": "Not found."})


@pytest.mark.parametrize(
    "path",
    [
        "",
        "token",
        "jobs",
        "jobs/validate",
        "jobs/validate_testdef",
        "jobs/batch_cancel",
        "jobs/1",
        "jobs/1/definition",
        "jobs/1/metadata",
        "jobs/1/yaml",
        "jobs/1/csv",
        "jobs/1/junit",
        "jobs/1/tap13",
        "jobs/1/suites/1/yaml",
        "jobs/1/logs",
        "jobs/1/suites",
        "jobs/1/tests",
        "jobs/1/cancel",
        "jobs/1/resubmit",
        "devices",
        "devices/qemu01",
        "devices/qemu01/dictionary",
        "devices/qemu01/set_health",
        "devices/validate",
        "devicetypes",
        "devicetypes/qemu",
        "aliases",
        "aliases/kvm",
        "workers",
        "workers/worker01",
        "workers/worker01/set_health",
        "tags",
        "tags/1",
        "system/version",
        "system/whoami",
        "system/master_config",
    ],
)
def test_every_address_says_what_may_be_done_with_it(alice: User, login: Login, path: str) -> None:
    answer = login(alice).options(f"/api/v0.2/{path}")

    assert answer.status_code == 200
    assert "OPTIONS" in answer["Allow"]


@hypothesis_settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    path=st.sampled_from(["jobs/", "jobs/1/logs/", "jobs/1/tests/", "devices/", "devicetypes/", "workers/"]),
    name=st.sampled_from(
        [
            "id",
            "id__in",
            "state",
            "health__in",
            "submit_time__gt",
            "limit",
            "offset",
            "ordering",
            "start",
            "end",
            "description__contains",
            "hostname",
            "name",
            "format",
            "all",
            "failure_comment__isnull",
        ]
    ),
    value=st.one_of(
        st.text(max_size=30), st.integers().map(str), st.sampled_from(["9" * 400, "1,2,", "-", "+", "%"])
    ),
)
def test_no_query_breaks_the_server(anyone: APIClient, path: str, name: str, value: str) -> None:
    answer = anyone.get(f"/api/v0.2/{path}", {name: value.encode("utf-8", "surrogatepass")})

    assert answer.status_code in (200, 400, 404)


@hypothesis_settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    kind=st.sampled_from([JSON, FORM, MULTIPART]),
    body=st.one_of(st.binary(max_size=200), st.binary(max_size=50).map(part)),
)
def test_no_body_breaks_the_server(anyone: APIClient, kind: str, body: bytes) -> None:
    answer = anyone.generic("POST", VALIDATE, body, content_type=kind)

    assert answer.status_code in (200, 400)
    assert not Job.objects.exists()
