"""A job's log on disk: `output.log`, the text as people read it, and `output.idx`, what each piece of it is."""

from jobs.logs.format import UnknownFormat
from jobs.logs.masking import Masker
from jobs.logs.records import LEVELS, Record, parse_lines
from jobs.logs.store import Appended, Hole, Placed, append, directory_for, sync
from jobs.logs.tail import (
    LIMIT,
    LastPart,
    Tail,
    between,
    last_part,
    next_index,
    read,
    record_count,
    spans,
)
from jobs.logs.text import exists, size

__all__ = [
    "LEVELS",
    "LIMIT",
    "Appended",
    "Hole",
    "LastPart",
    "Masker",
    "Placed",
    "Record",
    "Tail",
    "UnknownFormat",
    "append",
    "between",
    "directory_for",
    "exists",
    "last_part",
    "next_index",
    "parse_lines",
    "read",
    "record_count",
    "size",
    "spans",
    "sync",
]
