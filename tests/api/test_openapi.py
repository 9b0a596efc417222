"""The documents describe what the views do."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from django.test import Client
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.validation import validate_schema

from api.openapi import documents
from api.openapi.documents import APIS, document

VERSIONS = sorted(APIS)


def operations(version: str) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, operation)
        for path, item in document(version)["paths"].items()
        for method, operation in item.items()
    ]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_description_is_made_without_a_warning(version: str, capsys: pytest.CaptureFixture[str]) -> None:
    GENERATOR_STATS.reset()

    documents.document.__wrapped__(version)

    assert (capsys.readouterr().err, bool(GENERATOR_STATS)) == ("", False)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_description_is_valid_openapi(version: str) -> None:
    validate_schema(document(version))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_description_is_fetched_as_json_and_as_yaml(client: Client, version: str) -> None:
    as_json = client.get(f"/api/{version}/openapi.json")
    as_yaml = client.get(f"/api/{version}/openapi.yaml")

    assert as_json.json() == yaml.safe_load(as_yaml.content) == document(version)
    assert as_json["Content-Type"].startswith("application/json")


@pytest.mark.parametrize("version", VERSIONS)
def test_every_operation_says_what_it_does_and_has_a_name_of_its_own(version: str) -> None:
    names = [operation["operationId"] for _, _, operation in operations(version)]

    assert all(operation["summary"] for _, _, operation in operations(version))
    assert len(names) == len(set(names))


def test_every_failure_of_version_1_is_a_problem() -> None:
    failures = [
        (path, status, list(answer["content"]))
        for path, _, operation in operations("v1")
        for status, answer in operation["responses"].items()
        if int(status) >= 400
    ]

    assert {tuple(kinds) for _, _, kinds in failures} == {("application/problem+json",)}
    assert {status for _, status, _ in failures} == {
        "400",
        "401",
        "403",
        "404",
        "405",
        "409",
        "410",
        "413",
        "415",
        "429",
        "503",
    }


def test_parameters_come_from_the_tables_of_the_views() -> None:
    found = document("v1")["paths"]["/api/v1/jobs/"]["get"]["parameters"]
    by_name = {parameter["name"]: parameter for parameter in found}

    assert by_name["state"]["schema"]["items"]["enum"][0] == "Submitted"
    assert by_name["state"]["explode"] is False
    assert by_name["limit"]["schema"]["maximum"] == 200
    assert {"before", "after", "since", "outcome"} <= set(by_name)


def test_a_definition_is_described_in_each_form_that_is_read() -> None:
    content = document("v1")["paths"]["/api/v1/jobs/"]["post"]["requestBody"]["content"]

    assert set(content) == {"application/yaml", "application/json", "multipart/form-data"}
    assert content["application/yaml"]["schema"] == {"description": "the definition itself"}


def test_the_scope_of_each_operation_is_told() -> None:
    paths = document("v1")["paths"]

    assert paths["/api/v1/jobs/"]["get"]["security"][0] == {"token": ["read"]}
    assert paths["/api/v1/jobs/{job}/cancel/"]["post"]["security"][0] == {"token": ["submit"]}
    assert paths["/api/v1/tokens/"]["get"]["security"][0] == {"token": ["full"]}
    assert paths["/api/v1/system/"]["get"]["security"] == [{}]


def test_lists_of_version_02_tell_their_filters() -> None:
    found = document("v0.2")["paths"]["/api/v0.2/jobs/"]["get"]["parameters"]

    assert {"state", "state__in", "ordering", "limit", "offset"} <= {each["name"] for each in found}


def test_nothing_of_a_description_is_left_over_from_making_it() -> None:
    assert "x-spec" not in json.dumps(document("v1"))
