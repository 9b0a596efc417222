from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest

from core import yaml
from tests.workers.builtin.conftest import definition, jobs_definition
from workers.builtin.plan import Plan, make_plan
from workers.builtin.reading import InvalidPlan
from workers.builtin.test_definitions import GitSource
from workers.messages import JobFiles


def plan_of(text: str, *, device: str = "{executor: shell}", env_dut: str = "") -> Plan:
    return make_plan(7, JobFiles(definition=text, device=device, env_dut=env_dut))


def changed(**keys: Any) -> str:
    return yaml.dump(yaml.load(definition("true")) | keys)


def test_suites_are_numbered_through_the_job() -> None:
    job = yaml.load(jobs_definition([["a"], ["b"]]))
    job["actions"] *= 2

    plan = plan_of(yaml.dump(job))

    assert [[d.suite for d in action.definitions] for action in plan.actions] == [
        ["0_suite", "1_suite"],
        ["2_suite", "3_suite"],
    ]
    assert plan.actions[1].definitions[0].uuid == "7_2.1"


def test_a_plan_makes_the_round_trip_through_json() -> None:
    plan = plan_of(definition("echo ä", environment={"A": "b"}))

    assert Plan.from_json(json.loads(json.dumps(asdict(plan)))) == plan


def test_steps_that_yaml_takes_for_other_things_are_commands() -> None:
    repository = {"run": {"steps": [True, 12]}}
    text = changed(actions=[{"test": {"definitions": [TEST | {"repository": repository}]}}])

    assert plan_of(text).actions[0].definitions[0].steps == ("true", "12")


def test_install_steps_run_first_and_what_is_left_out_is_told() -> None:
    job = yaml.load(definition("run"))
    repository = job["actions"][0]["test"]["definitions"][0]["repository"]
    repository["install"] = {"deps": ["gcc"], "steps": ["install"]}

    plan = plan_of(yaml.dump(job))

    assert plan.actions[0].definitions[0].steps == ("install", "run")
    assert "install.deps: ignored" in plan.warnings[0]


def test_parameters_of_the_job_win_over_those_of_the_definition() -> None:
    job = yaml.load(definition("run"))
    item = job["actions"][0]["test"]["definitions"][0]
    item["repository"]["params"] = {"A": "old", "B": "kept"}
    item["parameters"] = {"A": "new"}

    assert plan_of(yaml.dump(job)).actions[0].definitions[0].parameters == {"A": "new", "B": "kept"}


def test_the_environment_comes_from_device_lab_and_job_in_this_order() -> None:
    plan = plan_of(
        definition("true", environment={"C": "job"}),
        device="{executor: shell, environment: {A: device, B: device, C: device}}",
        env_dut="overrides: {B: lab, C: lab}",
    )

    assert plan.environment == {"A": "device", "B": "lab", "C": "job"}


@pytest.mark.parametrize(
    ("timeouts", "block", "device", "seconds"),
    [
        ({}, {}, {}, 30),
        ({"action": {"minutes": 1}}, {}, {}, 60),
        ({"action": {"minutes": 1}}, {}, {"actions": {"lava-test-shell": {"seconds": 50}}}, 50),
        (
            {"action": {"minutes": 1}, "actions": {"lava-test-shell": {"seconds": 40}}},
            {},
            {"actions": {"lava-test-shell": {"seconds": 50}}},
            40,
        ),
        ({"actions": {"lava-test-shell": {"seconds": 40}}}, {"timeout": {"hours": 2}}, {}, 7200),
        ({}, {"timeout": {"hours": 2}, "timeouts": {"lava-test-shell": {"days": 1}}}, {}, 86400),
    ],
)
def test_the_most_particular_timeout_holds(
    timeouts: dict[str, Any], block: dict[str, Any], device: dict[str, Any], seconds: int
) -> None:
    job = yaml.load(definition("true"))
    job["timeouts"] = {"job": {"days": 2}} | timeouts
    job["actions"][0]["test"] |= block

    plan = plan_of(yaml.dump(job), device=yaml.dump({"executor": "shell", "timeouts": device}))

    assert plan.actions[0].timeout == seconds


GIT: dict[str, Any] = {
    "from": "git",
    "repository": "https://example.com/tests.git",
    "path": "smoke.yaml",
    "name": "smoke",
}


def with_git(**keys: Any) -> str:
    return changed(actions=[{"test": {"definitions": [GIT | keys]}}])


def test_a_definition_in_a_repository_waits_for_its_steps() -> None:
    keys = {"branch": "main", "revision": "v1.0", "history": False, "parameters": {"A": 1}}
    plan = plan_of(with_git(**keys))

    (test,) = plan.definitions
    assert test.source == GitSource(address=GIT["repository"], branch="main", revision="v1.0", history=False)
    assert (test.suite, test.steps, test.parameters) == ("0_smoke", (), {"A": "1"})
    assert plan.fetch_timeout == 300
    assert Plan.from_json(json.loads(json.dumps(asdict(plan)))) == plan


def test_the_install_steps_may_be_skipped() -> None:
    job = yaml.load(definition("run"))
    item = job["actions"][0]["test"]["definitions"][0]
    item["repository"]["install"] = {"deps": ["gcc"], "steps": ["install"]}
    item["skip_install"] = ["all"]

    plan = plan_of(yaml.dump(job))

    assert (plan.definitions[0].steps, plan.warnings) == (("run",), ())


def test_a_password_in_an_address_is_not_shown() -> None:
    source = GitSource(address="https://alice:secret@example.com/a.git")

    assert source.shown == "https://example.com/a.git"


TEST: dict[str, Any] = yaml.load(definition("true"))["actions"][0]["test"]["definitions"][0]


@pytest.mark.parametrize(
    ("text", "error_type", "message"),
    [
        ("[", "Job", "The job's definition is not valid YAML"),
        ("- a", "Job", "The job's definition is no mapping"),
        (changed(timeouts={}), "Job", "timeouts.job: missing"),
        (
            changed(timeouts={"job": {"minutes": "soon"}}),
            "Job",
            "timeouts.job.minutes: expected a whole number",
        ),
        (changed(timeouts={"job": {"fortnights": 1}}), "Job", "timeouts.job: expected one of days, hours"),
        (changed(actions=None), "Job", "actions: expected a list"),
        (
            changed(actions=[{"deploy": {"to": "tmpfs"}}]),
            "Configuration",
            "`test` actions only, not 'deploy'",
        ),
        (
            changed(actions=[{"test": {"interactive": []}}]),
            "Configuration",
            "`definitions` only, this block has",
        ),
        (
            changed(actions=[{"test": {"definitions": [TEST | {"from": "url"}]}}]),
            "Configuration",
            "inline and git definitions, not 'url'",
        ),
        (with_git(repository="file:///srv/tests"), "Job", "fetches nothing from its own machine"),
        (with_git(repository="/srv/tests"), "Job", "fetches nothing from its own machine"),
        (with_git(repository="ext::sh -c id"), "Job", "repository: expected an address of https"),
        (with_git(repository={"run": {}}), "Job", "repository: expected a text"),
        (with_git(branch="--upload-pack=id"), "Job", "branch: '--upload-pack=id' is no name"),
        (with_git(history="no"), "Job", "history: expected true or false"),
        (with_git(skip_install=["everything"]), "Job", "skip_install: expected keys"),
        (
            changed(timeouts={"job": {"minutes": 1}, "actions": {"git-repo-action": {"minutes": 0}}}),
            "Job",
            "timeouts.actions.minutes: expected a whole number",
        ),
        (
            changed(actions=[{"test": {"definitions": [TEST | {"name": "../x"}]}}]),
            "Job",
            "actions[0].test.definitions[0].name: expected letters",
        ),
        (
            changed(
                actions=[{"test": {"definitions": [TEST | {"repository": {"run": {"steps": [{"a": 1}]}}}]}}]
            ),
            "Job",
            "run.steps: expected commands",
        ),
        (changed(environment={"A-B": "x"}), "Job", "environment: 'A-B' is no name of a shell variable"),
        (changed(environment={"A": ["x"]}), "Job", "environment.A: expected a text"),
    ],
)
def test_a_job_that_cannot_be_run_is_refused_with_the_place(text: str, error_type: str, message: str) -> None:
    with pytest.raises(InvalidPlan) as raised:
        plan_of(text)

    assert raised.value.error_type == error_type
    assert message in str(raised.value)
