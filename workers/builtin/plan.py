"""What a job asks of the built-in worker, read from its definition and its device. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from core import yaml
from devices.dictionary import EXECUTORS
from workers.messages import ErrorType, JobFiles

ACTION_NAME: Final = "lava-test-shell"
DEFAULT_ACTION_TIMEOUT: Final = 30  # LAVA's, when neither the job nor the device names one

_SECONDS: Final = {"days": 86400, "hours": 3600, "minutes": 60, "seconds": 1}
_NAME: Final = re.compile(r"[-_a-zA-Z0-9.]+")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class InvalidPlan(Exception):
    """This job cannot be run on this device by this worker."""

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type


@dataclass(frozen=True, slots=True, kw_only=True)
class TestDefinition:
    """One of LAVA's test definitions: the steps of one suite."""

    __test__ = False  # not a test of ours

    suite: str  # LAVA's name for it: its number in the job, `_`, its own name
    uuid: str
    path: str
    steps: tuple[str, ...]
    parameters: Mapping[str, str]


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
    timeout: float  # seconds for the whole job
    environment: Mapping[str, str]
    actions: tuple[TestAction, ...]
    warnings: tuple[str, ...] = field(default=())

    @property
    def description(self) -> str:
        """The actions as YAML, in the shape of the pipeline that LAVA's dispatcher describes."""
        pipeline = [
            {
                "class": "workers.builtin.shell",
                "description": "run test definitions in a shell",
                "level": str(action.level),
                "name": ACTION_NAME,
                "test_list": [definition.suite for definition in action.definitions],
                "timeout": action.timeout,
            }
            for action in self.actions
        ]
        return yaml.dump({"compatibility": 0, "pipeline": pipeline})

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Plan:
        """The reverse of `dataclasses.asdict`."""
        return cls(
            executor=value["executor"],
            timeout=value["timeout"],
            environment=value["environment"],
            actions=tuple(_action_from_json(action) for action in value["actions"]),
            warnings=tuple(value["warnings"]),
        )


def _action_from_json(value: Mapping[str, Any]) -> TestAction:
    definitions = tuple(
        TestDefinition(**(definition | {"steps": tuple(definition["steps"])}))
        for definition in value["definitions"]
    )
    return TestAction(**({**value, "definitions": definitions}))


def make_plan(job_id: int, files: JobFiles) -> Plan:
    """Raises InvalidPlan."""
    device = _load(files.device, "the device's configuration", ErrorType.CONFIGURATION)
    executor = device.get("executor")
    if executor not in EXECUTORS:
        raise InvalidPlan(
            ErrorType.CONFIGURATION,
            f"The device's configuration asks for the executor {executor!r}; "
            f"the built-in worker has {', '.join(EXECUTORS)}.",
        )
    definition = _load(files.definition, "the job's definition", ErrorType.JOB)
    return _Reader(job_id, definition, device, files).plan()


class _Reader:
    def __init__(
        self, job_id: int, job: Mapping[str, Any], device: Mapping[str, Any], files: JobFiles
    ) -> None:
        self._job_id = job_id
        self._job = job
        self._device = device
        self._files = files
        self._definitions = 0
        self._warnings: list[str] = []

    def plan(self) -> Plan:
        timeouts = _mapping(self._job.get("timeouts", {}), "timeouts")
        if "job" not in timeouts:
            raise _fault("timeouts.job: missing; say for example `job: {minutes: 10}`")
        timeout, _ = _timeout(timeouts["job"], "timeouts.job")
        blocks = _list(self._job.get("actions"), "actions")
        return Plan(
            executor=self._device["executor"],
            timeout=timeout,
            environment=self._environment(),
            actions=tuple(self._action(block, number) for number, block in enumerate(blocks)),
            warnings=tuple(self._warnings),
        )

    def _environment(self) -> dict[str, str]:
        """The device's own words first, then the lab's (env-dut), then the job's."""
        lab = _load(self._files.env_dut, "the lab's env-dut", ErrorType.CONFIGURATION)
        sources = (
            (self._device.get("environment"), "environment of the device", ErrorType.CONFIGURATION),
            (lab.get("overrides"), "overrides of env-dut", ErrorType.CONFIGURATION),
            (self._job.get("environment"), "environment", ErrorType.JOB),
        )
        environment: dict[str, str] = {}
        for variables, where, error_type in sources:
            environment.update(_variables(variables or {}, where, error_type))
        return environment

    def _action(self, block: object, number: int) -> TestAction:
        where = f"actions[{number}]"
        names = list(_mapping(block, where))
        if names != ["test"]:
            raise InvalidPlan(
                ErrorType.CONFIGURATION,
                f"{where}: a local device runs commands on this machine, so it can do `test` actions only, "
                f"not {', '.join(map(repr, names)) or 'an empty one'}.",
            )
        where = f"{where}.test"
        test = _mapping(_mapping(block, where)["test"], where)
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
        job = _mapping(self._job.get("timeouts", {}), "timeouts")
        device = _mapping(self._device.get("timeouts") or {}, "timeouts of the device")
        candidates = (
            (_mapping(test.get("timeouts", {}), f"{where}.timeouts").get(ACTION_NAME), f"{where}.timeouts"),
            (test.get("timeout"), f"{where}.timeout"),
            (_mapping(job.get("actions", {}), "timeouts.actions").get(ACTION_NAME), "timeouts.actions"),
            (_mapping(device.get("actions") or {}, "timeouts").get(ACTION_NAME), "timeouts of the device"),
            (job.get("action"), "timeouts.action"),
        )
        for value, path in candidates:
            if value is not None:
                return _timeout(value, path)
        return DEFAULT_ACTION_TIMEOUT, False

    def _read_definitions(self, test: Mapping[str, Any], level: int, where: str) -> Iterator[TestDefinition]:
        if "definitions" not in test:
            raise InvalidPlan(
                ErrorType.CONFIGURATION,
                f"{where}: the built-in worker runs `definitions` only, this block has "
                f"{', '.join(sorted(map(str, test))) or 'nothing'}.",
            )
        for number, item in enumerate(_list(test["definitions"], f"{where}.definitions")):
            here = f"{where}.definitions[{number}]"
            yield self._definition(_mapping(item, here), f"{level}.{number + 1}", here)

    def _definition(self, item: Mapping[str, Any], level: str, where: str) -> TestDefinition:
        if item.get("from") != "inline":
            raise InvalidPlan(
                ErrorType.CONFIGURATION,
                f"{where}.from: the built-in worker runs inline definitions only, not {item.get('from')!r}.",
            )
        name = item.get("name")
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise _fault(f"{where}.name: expected letters, digits, dots, - and _, got {name!r}")
        repository = _mapping(item.get("repository"), f"{where}.repository")
        suite = f"{self._definitions}_{name}"
        self._definitions += 1
        return TestDefinition(
            suite=suite,
            uuid=f"{self._job_id}_{level}",
            path=str(item.get("path", "")),
            steps=self._steps(repository, f"{where}.repository"),
            parameters=_parameters(item, repository, where),
        )

    def _steps(self, repository: Mapping[str, Any], where: str) -> tuple[str, ...]:
        install = _mapping(repository.get("install") or {}, f"{where}.install")
        self._warnings.extend(
            f"{where}.install.{key}: ignored, the built-in worker installs nothing"
            for key in install
            if key != "steps"
        )
        run = _mapping(repository.get("run"), f"{where}.run")
        before = _list(install.get("steps") or [], f"{where}.install.steps")
        steps = _list(run.get("steps"), f"{where}.run.steps")
        return tuple(_step(step, f"{where}.run.steps") for step in [*before, *steps])


def _load(text: str, what: str, error_type: str) -> Mapping[str, Any]:
    try:
        value = yaml.load(text)
    except yaml.YAMLError as error:
        raise InvalidPlan(error_type, f"{what[0].upper()}{what[1:]} is not valid YAML: {error}") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidPlan(error_type, f"{what[0].upper()}{what[1:]} is no mapping.")
    return value


def _fault(message: str) -> InvalidPlan:
    return InvalidPlan(ErrorType.JOB, message)


def _mapping(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _fault(f"{where}: expected a mapping, got {value!r:.100}")
    return value


def _list(value: object, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise _fault(f"{where}: expected a list, got {value!r:.100}")
    return value


def _step(value: object, where: str) -> str:
    if isinstance(value, dict | list) or value is None:
        raise _fault(f"{where}: expected commands, got {value!r:.100}; put a step with `: ` in quotes")
    # YAML makes true and 12 of the commands `true` and `12`.
    step = _word(value)
    if "\0" in step:
        raise _fault(f"{where}: a command cannot hold a NUL character")
    return step


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _timeout(value: object, where: str) -> tuple[float, bool]:
    """Seconds, and whether the job goes on when they have passed (LAVA's `skip`)."""
    fields = _mapping(value, where)
    units = [unit for unit in fields if unit in _SECONDS]
    if len(units) != 1 or fields.keys() - {*units, "skip"}:
        raise _fault(f"{where}: expected one of days, hours, minutes, seconds, got {dict(fields)!r:.100}")
    amount = fields[units[0]]
    if not isinstance(amount, int) or isinstance(amount, bool) or amount <= 0:
        raise _fault(f"{where}.{units[0]}: expected a whole number above 0, got {amount!r:.100}")
    return amount * _SECONDS[units[0]], fields.get("skip") is True


def _parameters(item: Mapping[str, Any], repository: Mapping[str, Any], where: str) -> dict[str, str]:
    """The definition's own defaults (`params` is LAVA's older word for them), then the job's values."""
    parameters: dict[str, str] = {}
    for source, path in (
        (repository.get("params"), f"{where}.repository.params"),
        (repository.get("parameters"), f"{where}.repository.parameters"),
        (item.get("params"), f"{where}.params"),
        (item.get("parameters"), f"{where}.parameters"),
    ):
        parameters.update(_variables(source or {}, path, ErrorType.JOB))
    return parameters


def _variables(value: object, where: str, error_type: str) -> dict[str, str]:
    if not isinstance(value, dict):
        raise InvalidPlan(error_type, f"{where}: expected a mapping of names to texts, got {value!r:.100}")
    for name, content in value.items():
        if not isinstance(name, str) or not _VARIABLE.fullmatch(name):
            raise InvalidPlan(error_type, f"{where}: {name!r:.100} is no name of a shell variable")
        if isinstance(content, dict | list) or "\0" in str(content):
            raise InvalidPlan(error_type, f"{where}.{name}: expected a text, got {content!r:.100}")
    return {name: "" if content is None else _word(content) for name, content in value.items()}
