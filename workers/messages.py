"""The messages between the server and the machines that run jobs, as values. No Django, no sockets.

Both ends use them: the server end reads what a worker (ours or LAVA's) posts, the built-in worker writes the same.
The shapes are those of LAVA 2023.01: requests are urlencoded forms, answers are JSON.
"""

from __future__ import annotations

from binascii import a2b_qp
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, cast, get_args
from urllib.parse import parse_qsl, unquote_to_bytes, urlencode

import yaml

USER_AGENT: Final = "lava-lite-worker"  # the built-in worker sends it followed by a blank and its version

State = Literal["RUNNING", "FINISHED"]
Result = Literal["pass", "fail"]

# LAVA looks up the state by its capitalised name and knows these.
_LAVA_STATES = ("Submitted", "Scheduling", "Scheduled", "Running", "Canceling", "Finished")


class BadMessage(ValueError):
    """A message that cannot be understood; the text says what and where, as LAVA words it."""


class ErrorType:
    """Why a job failed: the words that LAVA's dispatcher reports in `error_type`."""

    BUG: Final = "Bug"
    CANCELED: Final = "Canceled"
    CONFIGURATION: Final = "Configuration"
    INFRASTRUCTURE: Final = "Infrastructure"
    JOB: Final = "Job"
    LAVA_TIMEOUT: Final = "LAVATimeout"
    MULTINODE_TIMEOUT: Final = "MultinodeTimeout"
    TEST: Final = "Test"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRef:
    """A job as an order names it, with the token that opens its addresses."""

    id: int
    token: str

    def to_json(self) -> dict[str, Any]:
        return {"id": self.id, "token": self.token}

    @classmethod
    def from_json(cls, value: object, *, where: str) -> JobRef:
        job = _mapping(value, where)
        number, token = job.get("id"), job.get("token")
        if not isinstance(number, int) or isinstance(number, bool):
            raise BadMessage(f"{where}.id: expected a whole number, got {number!r}")
        if not isinstance(token, str):
            raise BadMessage(f"{where}.token: expected a text, got {type(token).__name__}")
        return cls(id=number, token=token)


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """The answer to a worker's ping: what to start, what to end, what it should be running."""

    start: tuple[JobRef, ...] = ()
    cancel: tuple[JobRef, ...] = ()
    running: tuple[JobRef, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "cancel": [job.to_json() for job in self.cancel],
            "running": [job.to_json() for job in self.running],
            "start": [job.to_json() for job in self.start],
        }

    @classmethod
    def from_json(cls, value: object) -> Orders:
        """A missing list is an empty one. Raises BadMessage."""
        orders = _mapping(value, "orders")
        return cls(
            start=_jobs(orders, "start"),
            cancel=_jobs(orders, "cancel"),
            running=_jobs(orders, "running"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFiles:
    """What a worker fetches to start a job: five texts, each valid YAML or empty."""

    definition: str
    device: str
    dispatcher: str = ""
    env: str = ""
    env_dut: str = ""

    def check(self) -> None:
        """BadMessage if one is not YAML.

        LAVA's worker loads each only to write it into its own log, and one that it cannot load ends its process.
        """
        for name, text in self.to_json().items():
            _check_loads(text, name)

    def to_json(self) -> dict[str, str]:
        return {
            "definition": self.definition,
            "device": self.device,
            "dispatcher": self.dispatcher,
            "env": self.env,
            "env-dut": self.env_dut,
        }

    @classmethod
    def from_json(cls, value: object) -> JobFiles:
        """Raises BadMessage."""
        files = _mapping(value, "job")
        return cls(
            definition=_text(files, "definition"),
            device=_text(files, "device"),
            dispatcher=_text(files, "dispatcher"),
            env=_text(files, "env"),
            env_dut=_text(files, "env-dut"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPost:
    """A batch of log records: `lines` is `- {…}` joined by newlines, `index` the number of its first record."""

    index: int
    lines: str

    def to_form(self) -> bytes:
        # A worker posts megabytes of these: escaping just what a form must escape is 30 times faster than
        # quoting every character that is not a letter, and means the same.
        lines = self.lines.encode("utf-8", "replace")
        for plain, escaped in _FORM_ESCAPES:
            lines = lines.replace(plain, escaped)
        return b"index=%d&lines=%b" % (self.index, lines)

    @classmethod
    def from_form(cls, body: bytes) -> LogPost:
        """Raises BadMessage."""
        fields = _raw_fields(body)
        lines = fields.get(b"lines", b"")
        if not lines:
            raise BadMessage("Missing 'lines'")
        index = fields.get(b"index", b"")
        if not index:
            raise BadMessage("Missing 'index'")
        return cls(index=_index(_unquote(index)), lines=_unquote(lines).decode("utf-8", "replace"))


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChange:
    """A worker's word about a job: it runs, or it has ended and how."""

    state: State
    result: Result | None = None  # only when FINISHED
    error_type: str = ""  # one of ErrorType when the result is fail
    errors: str = ""  # text for people; non-empty becomes the job's failure comment
    description: str = ""  # the actions that were run, as YAML

    def to_form(self) -> bytes:
        if self.state == "RUNNING":
            return b"state=RUNNING"
        fields = {
            "state": self.state,
            "result": self.result or "fail",
            "error_type": self.error_type,
            "errors": self.errors,
            "description": self.description,
        }
        return urlencode(fields, errors="replace").encode()

    @classmethod
    def from_form(cls, body: bytes) -> StateChange:
        """Raises BadMessage."""
        fields = dict(_text_fields(body))
        name = fields.get("state", "").capitalize()
        if name not in _LAVA_STATES:
            raise BadMessage(f"Invalid state '{name}'")
        state = name.upper()
        if state not in get_args(State):
            raise BadMessage(f"Invalid state '{name}': expected RUNNING or FINISHED")
        if state == "RUNNING":
            return cls(state="RUNNING")
        result = fields.get("result", "")
        if result not in get_args(Result):
            raise BadMessage(f"Invalid result '{result}'")
        return cls(
            state="FINISHED",
            result=cast(Result, result),
            error_type=fields.get("error_type", ""),
            errors=fields.get("errors", ""),
            description=fields.get("description", ""),
        )


_FORM_ESCAPES: Final = (
    (b"%", b"%25"),  # first: the others bring in percent signs of their own
    (b"+", b"%2B"),
    (b"&", b"%26"),
    (b"=", b"%3D"),
    (b";", b"%3B"),
    (b"\n", b"%0A"),
    (b"\r", b"%0D"),
    (b"\0", b"%00"),
    (b" ", b"+"),
)


def _mapping(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise BadMessage(f"{where}: expected an object, got {type(value).__name__}")
    return value


def _jobs(orders: Mapping[str, Any], key: str) -> tuple[JobRef, ...]:
    jobs = orders.get(key, [])
    if not isinstance(jobs, list):
        raise BadMessage(f"orders.{key}: expected a list, got {type(jobs).__name__}")
    return tuple(JobRef.from_json(job, where=f"orders.{key}[{i}]") for i, job in enumerate(jobs))


def _text(files: Mapping[str, Any], key: str) -> str:
    value = files.get(key)
    if not isinstance(value, str):
        found = "nothing" if key not in files else type(value).__name__
        raise BadMessage(f"job.{key}: expected a text, got {found}")
    return value


def _check_loads(text: str, name: str) -> None:
    # By the loader that the worker has: ours takes a date that never was for text, and that one fails.
    try:
        yaml.load(text, yaml.CSafeLoader)
    except Exception as error:  # whatever its constructors raise
        raise BadMessage(f"job.{name}: not YAML that a worker can load: {error}") from error


def _index(digits: bytes) -> int:
    # int() would also take signs, blanks, underscores and thousands of digits.
    if not digits.isdigit() or len(digits) > 18:
        raise BadMessage("Invalid 'index'")
    return int(digits)


def _raw_fields(body: bytes) -> dict[bytes, bytes]:
    """The fields still quoted, so that the large one can be unquoted in one go."""
    pairs = (field.partition(b"=") for field in body.split(b"&", 20))
    return {_unquote(name): value for name, _, value in pairs}


def _text_fields(body: bytes) -> list[tuple[str, str]]:
    try:
        text = body.decode()
        return parse_qsl(text, keep_blank_values=True, errors="replace", max_num_fields=100)
    except ValueError as error:
        raise BadMessage(f"Invalid form: {error}") from None


def _unquote(value: bytes) -> bytes:
    """Undo urlencoding. A log post is up to 10 MB of it, and decoding used to be the slowest part of taking it in.

    Quoted-printable differs from urlencoding only in its escape sign and is decoded in C. What is not plain
    urlencoding (stray percent signs, raw equals signs or line ends) goes the careful way.
    """
    value = value.replace(b"+", b" ")
    escapes = value.count(b"%")
    if not escapes:
        return value
    if b"=" not in value and b"\n" not in value and b"\r" not in value:
        decoded = a2b_qp(value.replace(b"%", b"="))
        if len(decoded) == len(value) - 2 * escapes:
            return decoded
    return unquote_to_bytes(value)
