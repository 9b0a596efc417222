"""What events say is fetched from the lab that tells them."""

from __future__ import annotations

import pytest
import yaml
from rest_framework.test import APIClient

from events import asyncapi, contract

SCHEMAS = "/api/v1/schemas/"


@pytest.mark.parametrize("name", contract.names())
def test_every_schema_is_fetched_from_the_address_that_it_names_itself_by(
    name: str, anyone: APIClient
) -> None:
    schema = anyone.get(f"{SCHEMAS}{name}").json()

    assert schema == contract.schema(name)
    assert schema["$id"] == f"{SCHEMAS}{name}"


def test_a_schema_that_is_not_there_is_a_problem_that_names_the_others(anyone: APIClient) -> None:
    answer = anyone.get(f"{SCHEMAS}job.exploded")

    assert answer.status_code == 404
    assert "There is no schema 'job.exploded'. There are: event, job.submitted" in answer.json()["detail"]


def test_the_description_of_all_events_is_fetched_as_json_and_as_yaml(anyone: APIClient) -> None:
    as_json, as_yaml = anyone.get("/api/v1/asyncapi.json"), anyone.get("/api/v1/asyncapi.yaml")

    assert as_json.json() == yaml.safe_load(as_yaml.content) == asyncapi.document()
    assert (as_json["Content-Type"], as_yaml["Content-Type"]) == (
        "application/json; charset=utf-8",
        "application/yaml; charset=utf-8",
    )


def test_the_description_is_the_same_for_everybody_and_cannot_be_written(anyone: APIClient) -> None:
    assert anyone.post("/api/v1/asyncapi.json").status_code == 405
    assert anyone.put(f"{SCHEMAS}event").status_code == 405
