"""Reads the logs of jobs by `log-tail` until each is finished: `python -m tests.statements.reader FIRST LAST`.

Writes a line of JSON for each job: its number, the text that was read, and how many requests that took.
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
        text, start, requests, is_finished = "", 0, 0, False
        while not is_finished:
            answer = client.get(f"/job/{number}/log-tail", {"start": start}).json()
            text += answer["content"]
            start, is_finished = answer["new_size"], answer["is_finished"]
            requests += 1
        print(json.dumps({"job": number, "text": text, "requests": requests}))  # noqa: T201


if __name__ == "__main__":
    main()
