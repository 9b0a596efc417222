"""What the page that explains an API shows, as values, made from the API's description."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from api.openapi.documents import API, APIS, document

Described = Mapping[str, Any]

UUID = "6fa1b2c4-8d3e-4f5a-9b6c-7d8e9f0a1b2c"
TIME = "2026-11-25T10:25:33.841638Z"
OF_NAME: dict[str, Any] = {
    "id": 812,
    "job": 812,
    "job_id": 812,
    "suite_id": 31,
    "test_id": 977,
    "token_id": 4,
    "uuid": UUID,
    "username": "alice",
    "submitter": "alice",
    "user": "alice",
    "email": "alice@example.org",
    "name": "qemu01",
    "hostname": "qemu01",
    "device": "qemu01",
    "devices[]": "qemu01",
    "device_type": "qemu",
    "worker": "worker01",
    "description": "boot test",
    "reason": "the fan is loud",
    "health_reason": "",
    "health_by": "alice",
    "tags[]": "usb",
    "groups[]": "kernel",
    "aliases[]": "kvm",
    "priority": 50,
    "attempt": 1,
    "event_type": "job.started",
    "duration": 61.5,
    "expected_wait": 0.0,
    "measurement": "12.5",
    "unit": "seconds",
    "suite": "0_smoke",
    "password": "correct horse battery",
    "secret": "k3v9…",
    "definition": "job_name: …",
    "next": None,
    "previous": None,
    "expires": None,
    "path": "timeouts.job.minutes",
    "message": "expected a number",
    "line": 7,
}
OF_FORMAT = {"date-time": TIME, "uuid": UUID, "uri": "http://…"}
OF_TYPE = {"integer": 1, "number": 1.5, "boolean": False, "string": "…", "null": None}
OF_COMPONENT: dict[str, dict[str, Any]] = {
    "Job": {"state": "Finished", "health": "Complete", "outcome": "fail", "reason": "", "error_type": ""},
    "DeviceType": {"name": "qemu", "description": "QEMU on this machine", "devices": 12},
    "Worker": {"name": "worker01", "description": "rack 2, left", "version": "2023.01", "devices": 12},
    "Result": {"name": "boots", "set": "", "start_line": 120, "end_line": 131},
}
OF_COMPONENT["OneJob"] = OF_COMPONENT["Job"] | {"results": {"pass": 11, "fail": 1, "skip": 0, "unknown": 0}}
IN_PATH = {
    "device-types": "qemu",
    "devicetypes": "qemu",
    "workers": "worker01",
}  # what a {name} is, by the tag


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A parameter, or a field of a body."""

    name: str
    kind: str
    help: str
    is_needed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: str
    text: str
    example: str  # empty where the body is explained elsewhere, or there is none


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    anchor: str
    method: str
    path: str
    summary: str
    description: list[str]
    who: str
    parameters: list[Value]
    media_types: list[str]
    fields: list[Value]
    answers: list[Answer]
    curl: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    tag: str
    operations: list[Operation]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    api: API
    groups: list[Group]

    @classmethod
    def of(cls, version: str, lab: str) -> Reference:
        """`lab`: the address of this lab, for the commands."""
        writer = _Writer(document(version), lab)
        groups: dict[str, list[Operation]] = {}
        for tag, operation in writer.operations():
            groups.setdefault(tag, []).append(operation)
        return cls(
            api=APIS[version], groups=[Group(tag=tag, operations=each) for tag, each in groups.items()]
        )


class _Writer:
    def __init__(self, described: Described, lab: str) -> None:
        self.described = described
        self.lab = lab

    def operations(self) -> Iterator[tuple[str, Operation]]:
        for path, item in self.described["paths"].items():
            for method, operation in item.items():
                yield operation["tags"][0], self.operation(path, method.upper(), operation)

    def operation(self, path: str, method: str, operation: Described) -> Operation:
        content = operation.get("requestBody", {}).get("content", {})
        description = operation.get("description", "")
        return Operation(
            anchor=operation["operationId"].replace("_", "-"),
            method=method,
            path=path,
            summary=operation["summary"],
            description=[part for part in description.split("\n\n") if part],
            who=_who(operation),
            parameters=[self.parameter(each) for each in operation.get("parameters", [])],
            media_types=list(content),
            fields=self.fields(content),
            answers=[self.answer(status, each) for status, each in operation["responses"].items()],
            curl=self.curl(path, method, operation, content),
        )

    def parameter(self, parameter: Described) -> Value:
        return Value(
            name=parameter["name"],
            kind=_kind(parameter["schema"]),
            help=parameter.get("description", ""),
            is_needed=parameter.get("required", False),
        )

    def fields(self, content: Described) -> list[Value]:
        schema = self.resolved(_first_json(content))
        needed = schema.get("required", [])
        return [
            Value(name=name, kind=_kind(field), help=field.get("description", ""), is_needed=name in needed)
            for name, field in schema.get("properties", {}).items()
            if not field.get("readOnly")
        ]

    def answer(self, status: str, answer: Described) -> Answer:
        is_shown = status < "400" and "application/json" in answer.get("content", {})
        example = self.example(_first_json(answer["content"])) if is_shown else None
        return Answer(
            status=status,
            text=answer.get("description") or HTTPStatus(int(status)).phrase,
            example=json.dumps(example, indent=2, ensure_ascii=False) if is_shown else "",
        )

    def curl(self, path: str, method: str, operation: Described, content: Described) -> str:
        parts = ["curl"]
        if method != "GET":
            parts.append(f"-X {method}")
        if {} not in operation.get("security", [{}]):
            parts.append('-H "Authorization: Token $TOKEN"')
        parts += self.curl_body(content)
        parts.append(self.lab + self.filled(path, operation))
        return " ".join(parts)

    def curl_body(self, content: Described) -> list[str]:
        if "application/yaml" in content:
            return ['-H "Content-Type: application/yaml"', "--data-binary @job.yaml"]
        schema = self.resolved(_first_json(content))
        if not schema.get("properties"):
            return []
        needed = schema.get("required") or list(schema["properties"])[:1]
        body = {name: self.example(schema["properties"][name], name) for name in needed}
        text = json.dumps(body, ensure_ascii=False).replace("'", "'\\''")
        return ['-H "Content-Type: application/json"', f"-d '{text}'"]

    def filled(self, path: str, operation: Described) -> str:
        of_tag = IN_PATH.get(operation["tags"][0])

        def sample(found: re.Match[str]) -> str:
            return str(of_tag if of_tag and found[1] == "name" else OF_NAME.get(found[1], 1))

        return re.sub(r"{(\w+)}", sample, path)

    def resolved(self, schema: Described) -> Described:
        if "$ref" not in schema:
            return schema
        found: Described = self.described["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return found

    def example(self, schema: Described, name: str = "") -> Any:
        component = schema.get("$ref", "").rpartition("/")[2]
        schema = self.resolved(schema)
        if "allOf" in schema:
            return self.example(schema["allOf"][0], name)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return schema["enum"][0]
        kind = _type(schema)
        if kind == "object":
            fields = schema.get("properties", {})
            shown = {field: self.example(below, field) for field, below in fields.items()}
            return shown | OF_COMPONENT.get(component, {})
        if kind == "array":
            return [self.example(schema.get("items", {}), f"{name}[]")]
        if name in OF_NAME and _fits(OF_NAME[name], schema):
            return OF_NAME[name]
        return OF_FORMAT.get(schema.get("format", ""), OF_TYPE.get(kind, "…"))


def _who(operation: Described) -> str:
    """Which credentials it takes, in words."""
    security = operation.get("security", [{}])
    if "token" not in security[0]:
        return "Open to everybody."
    scope = ", ".join(security[0]["token"])
    if {} in security:
        return f"Open to everybody; a token (for {scope} or more) or a session says who you are."
    return f"Takes a token for {scope} or more, or a session."


def _first_json(content: Described) -> Described:
    chosen: Described = content.get("application/json") or next(iter(content.values()), {})
    schema: Described = chosen.get("schema", {})
    return schema


def _type(schema: Described) -> str:
    kind = schema.get("type", "")
    return str(kind) if isinstance(kind, str) else next(each for each in kind if each != "null")


def _fits(value: Any, schema: Described) -> bool:
    kinds = [schema["type"]] if isinstance(schema.get("type"), str) else schema.get("type", [])
    known = {int: ("integer", "number"), float: ("number",), str: ("string",), type(None): ("null",)}
    return any(kind in kinds for kind in known[type(value)])


def _kind(schema: Described) -> str:
    """In words: `text`, `number`, or the values themselves."""
    if "anyOf" in schema:
        return " or ".join(_kind(each) for each in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(str(value) for value in schema["enum"] if value is not None)
    if "$ref" in schema or not schema.get("type"):
        return "object"
    kind = _type(schema)
    if kind == "array":
        return f"list of: {_kind(schema.get('items', {}))}"
    words = {"string": "text", "integer": "number", "number": "number", "boolean": "true or false"}
    return {"date-time": "time", "uuid": "uuid"}.get(schema.get("format", ""), words.get(kind, kind))
