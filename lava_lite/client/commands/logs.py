"""`lava-lite log …`: searching the log of a job, and looking after the logs on this machine."""

from __future__ import annotations

from lava_lite.client.api import Row
from lava_lite.client.commands.jobs import find
from lava_lite.client.context import Context
from lava_lite.client.exits import Exit
from lava_lite.client.findings import tell
from lava_lite.client.shapes import column

HITS = (column("LINE", "line"), column("TEXT", "text"))


def search(context: Context) -> Exit:
    """FAIL if there is no hit, as grep has it."""
    words = context.words
    job = find(context, words.job)
    found = context.api.log_search(
        job["id"],
        q=words.pattern,
        regex=1 if words.regex else None,
        case=1 if words.case else None,
        limit=words.limit,
        attempt=words.attempt,
    )
    hits: list[Row] = found["hits"]
    context.show_rows(HITS, hits)
    if found["more"] and not context.console.as_json:
        total = f"{found['total']}{' or more' if found['total_is_more'] else ''}"
        context.console.note(f"{len(hits)} of {total} lines; --limit shows more.")
    return Exit.OK if hits else Exit.FAIL


def check(context: Context) -> Exit:
    return tell(context.console, context.here.logs(context.words.logs, repair=False))


def repair(context: Context) -> Exit:
    return tell(context.console, context.here.logs(context.words.logs, repair=True))
