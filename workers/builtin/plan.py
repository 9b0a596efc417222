"""What a job asks of the built-in worker, read from its definition and its device. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from core import yaml
from devices import dictionary
from workers.builtin import test_definitions
from workers.builtin.reading import InvalidPlan, fault, items, load, mapping, variables
from workers.builtin.test_definitions import TestDefinition
from workers.messages import ErrorType, JobFiles

ACTION_NAME: Final = "lava-test-shell"
FETCH_NAME: Final = "git-repo-action"
DEFAULT_FETCH_TIMEOUT: Final = 300
DEFAULT_ACTION_TIMEOUT: Final = 30  # LAVA's, when neither the job nor the device names one

_SECONDS: Final = {"days": 86400, "hours": 3600, "minutes": 60, "seconds": 1}
_NAME: Final = re.compile(r"[-_a-zA-Z0-9.]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class TestAction:
    """One `test` block."""

    __test__ = False

    level: int
    timeout: float  # seconds
    goes_on_after_timeout: bool
    definitions: tuple[TestDefinition, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    executor: str  # its name
    settings: Mapping[str, Any]  # of the executor, from the device's dictionary
    timeout: float  # seconds for the whole job
    fetch_timeout: float  # seconds for each test definition that is in a repository
    environment: Mapping[str, str]
    actions: tuple[TestAction, ...]
    warnings: tuple[str, ...] = field(default=())

    @property
    def description(self) -> str:
        """The actions as YAML, in the shape of the pipeline that LAVA's dispatcher describes."""
        pipeline = [
            {
                "class": f"workers.builtin.{self.executor}",
                "description": "run test definitions in a shell",
                "level": str(action.level),
                "name": ACTION_NAME,
                "test_list": [definition.suite for definition in action.definitions],
                "timeout": action.timeout,
            }
            for action in self.actions
        ]
        return yaml.dump({"compatibility": 0, "pipeline": pipeline})

    @property
    def definitions(self) -> list[TestDefinition]:
        return [definition for action in self.actions for definition in action.definitions]

    def with_definitions(self, changed: Mapping[str, TestDefinition]) -> Plan:
        """Some of them replaced, by their suite."""
        actions = tuple(
            replace(action, definitions=tuple(changed.get(one.suite, one) for one in action.definitions))
            for action in self.actions
        )
        return replace(self, actions=actions)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Plan:
        """The reverse of `dataclasses.asdict`."""
        return cls(
            executor=value["executor"],
            settings=value["settings"],
            timeout=value["timeout"],
            fetch_timeout=value["fetch_timeout"],
            environment=value["environment"],
            actions=tuple(_action_from_json(action) for action in value["actions"]),
            warnings=tuple(value["warnings"]),
        )


def _action_from_json(value: Mapping[str, Any]) -> TestAction:
    definitions = tuple(TestDefinition.from_json(definition) for definition in value["definitions"])
    return TestAction(**({**value, "definitions": definitions}))


def make_plan(job_id: int, files: JobFiles, *, allow_files: bool = False) -> Plan:
    """`allow_files`: test definitions may come from repositories on this machine. Raises InvalidPlan."""
    device = load(files.device, "the device's configuration", ErrorType.CONFIGURATION)
    if "executor" not in device:
        raise InvalidPlan(
            ErrorType.CONFIGURATION,
            "The device's configuration names no executor of the built-in worker: it has "
            f"{', '.join(dictionary.EXECUTORS)}.",
        )
    definition = load(files.definition, "the job's definition", ErrorType.JOB)
    return _Reader(job_id, definition, device, files, allow_files=allow_files).plan()


class _Reader:
    def __init__(
        self,
        job_id: int,
        job: Mapping[str, Any],
        device: Mapping[str, Any],
        files: JobFiles,
        *,
        allow_files: bool,
    ) -> None:
        self._job_id = job_id
        self._job = job
        self._device = device
        self._files = files
        self._allow_files = allow_files
        self._definitions = 0
        self._warnings: list[str] = []

    def plan(self) -> Plan:
        timeouts = mapping(self._job.get("timeouts", {}), "timeouts")
        if "job" not in timeouts:
            raise fault("timeouts.job: missing; say for example `job: {minutes: 10}`")
        timeout, _ = _timeout(timeouts["job"], "timeouts.job")
        blocks = items(self._job.get("actions"), "actions")
        return Plan(
            executor=self._device["executor"],
            settings=self._settings(),
            timeout=timeout,
            fetch_timeout=self._fetch_timeout(),
            environment=self._environment(),
            actions=tuple(self._action(block, number) for number, block in enumerate(blocks)),
            warnings=tuple(self._warnings),
        )

    def _settings(self) -> Mapping[str, Any]:
        try:
            return dictionary.settings_of(self._device)
        except dictionary.InvalidDictionary as invalid:
            raise InvalidPlan(
                ErrorType.CONFIGURATION, f"The device's configuration is wrong: {invalid}"
            ) from None

    def _environment(self) -> dict[str, str]:
        """The device's own words first, then the lab's (env-dut), then the job's."""
        lab = load(self._files.env_dut, "the lab's env-dut", ErrorType.CONFIGURATION)
        sources = (
            (self._device.get("environment"), "environment of the device", ErrorType.CONFIGURATION),
            (lab.get("overrides"), "overrides of env-dut", ErrorType.CONFIGURATION),
            (self._job.get("environment"), "environment", ErrorType.JOB),
        )
        environment: dict[str, str] = {}
        for source, where, error_type in sources:
            environment.update(variables(source or {}, where, error_type))
        return environment

    def _action(self, block: object, number: int) -> TestAction:
        where = f"actions[{number}]"
        names = list(mapping(block, where))
        if names != ["test"]:
            raise InvalidPlan(
                ErrorType.CONFIGURATION,
                f"{where}: the built-in worker runs commands, so its devices can do `test` actions only, "
                f"not {', '.join(map(repr, names)) or 'an empty one'}.",
            )
        where = f"{where}.test"
        test = mapping(mapping(block, where)["test"], where)
        timeout, goes_on = self._action_timeout(test, where)
        level = number + 1
        return TestAction(
            level=level,
            timeout=timeout,
            goes_on_after_timeout=goes_on,
            definitions=tuple(self._read_definitions(test, level, where)),
        )

    def _action_timeout(self, test: Mapping[str, Any], where: str) -> tuple[float, bool]:
        """The most particular word wins: LAVA's order, from the job's general word to the block's own."""
        candidates = (
            (mapping(test.get("timeouts", {}), f"{where}.timeouts").get(ACTION_NAME), f"{where}.timeouts"),
            (test.get("timeout"), f"{where}.timeout"),
            *self._timeouts_of(ACTION_NAME),
            (mapping(self._job.get("timeouts", {}), "timeouts").get("action"), "timeouts.action"),
        )
        for value, path in candidates:
            if value is not None:
                return _timeout(value, path)
        return DEFAULT_ACTION_TIMEOUT, False

    def _fetch_timeout(self) -> float:
        for value, path in self._timeouts_of(FETCH_NAME):
            if value is not None:
                return _timeout(value, path)[0]
        return DEFAULT_FETCH_TIMEOUT

    def _timeouts_of(self, action: str) -> tuple[tuple[object, str], ...]:
        job = mapping(self._job.get("timeouts", {}), "timeouts")
        device = mapping(self._device.get("timeouts") or {}, "timeouts of the device")
        return (
            (mapping(job.get("actions", {}), "timeouts.actions").get(action), "timeouts.actions"),
            (mapping(device.get("actions") or {}, "timeouts").get(action), "timeouts of the device"),
        )

    def _read_definitions(self, test: Mapping[str, Any], level: int, where: str) -> Iterator[TestDefinition]:
        if "definitions" not in test:
            raise InvalidPlan(
                ErrorType.CONFIGURATION,
                f"{where}: the built-in worker runs `definitions` only, this block has "
                f"{', '.join(sorted(map(str, test))) or 'nothing'}.",
            )
        for number, item in enumerate(items(test["definitions"], f"{where}.definitions")):
            here = f"{where}.definitions[{number}]"
            yield self._definition(mapping(item, here), f"{level}.{number + 1}", here)

    def _definition(self, item: Mapping[str, Any], level: str, where: str) -> TestDefinition:
        name = item.get("name")
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise fault(f"{where}.name: expected letters, digits, dots, - and _, got {name!r}")
        suite = f"{self._definitions}_{name}"
        self._definitions += 1
        definition = TestDefinition(
            suite=suite,
            uuid=f"{self._job_id}_{level}",
            path=str(item.get("path", "")),
            parameters=test_definitions.parameters(item, where),
            skip_install=test_definitions.skip_install(item, where),
        )
        if item.get("from") == "git":
            return replace(definition, source=test_definitions.git_source(item, where, self._allow_files))
        if item.get("from") != "inline":
            raise InvalidPlan(
                ErrorType.CONFIGURATION,
                f"{where}.from: the built-in worker runs inline and git definitions, not {item.get('from')!r}.",
            )
        test = mapping(item.get("repository"), f"{where}.repository")
        definition, warnings = test_definitions.complete(definition, test, f"{where}.repository")
        self._warnings.extend(warnings)
        return definition


def _timeout(value: object, where: str) -> tuple[float, bool]:
    """Seconds, and whether the job goes on when they have passed (LAVA's `skip`)."""
    fields = mapping(value, where)
    units = [unit for unit in fields if unit in _SECONDS]
    if len(units) != 1 or fields.keys() - {*units, "skip"}:
        raise fault(f"{where}: expected one of days, hours, minutes, seconds, got {dict(fields)!r:.100}")
    amount = fields[units[0]]
    if not isinstance(amount, int) or isinstance(amount, bool) or amount <= 0:
        raise fault(f"{where}.{units[0]}: expected a whole number above 0, got {amount!r:.100}")
    return amount * _SECONDS[units[0]], fields.get("skip") is True
