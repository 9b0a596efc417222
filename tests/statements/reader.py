"""Reads the logs of jobs by `log-tail` until each is finished: `python -m tests.statements.reader FIRST LAST`.

Writes two lines of JSON for each job, its number and the text that was read: when it has read the first words, and when
it has read all.
"""

from __future__ import annotations

import json
import sys

from tests import children

children.join_the_lab()

from django.test import Client  # noqa: E402


def main() -> None:
    first, last = map(int, sys.argv[1:])
    client = Client(SERVER_NAME="localhost")
    for number in range(first, last + 1):
        read(client, number)


def read(client: Client, number: int) -> None:
    text, start, is_finished = "", 0, False
    while not is_finished:
        answer = client.get(f"/job/{number}/log-tail", {"start": start}).json()
        if answer["content"] and not text:
            tell(number, answer["content"])
        text += answer["content"]
        start, is_finished = answer["new_size"], answer["is_finished"]
    tell(number, text)


def tell(number: int, text: str) -> None:
    print(json.dumps({"job": number, "text": text}), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
