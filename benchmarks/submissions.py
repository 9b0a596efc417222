"""How many jobs a second are accepted into the queue. Run: python -m benchmarks.submissions

By the verb alone, and by the REST API (in this process: what a web server adds to it is not measured here).
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

from benchmarks import throwaway

Submit = Callable[[], object]

JOBS = 600
CLIENTS = (1, 4)


def main() -> None:
    with throwaway.lab():
        from django.test import Client

        from accounts.models import Token
        from jobs import lifecycle
        from tests import build

        alice = build.user("alice")
        secret = Token.objects.issue(alice)
        build.device()
        text = build.definition()
        headers = {"authorization": f"Token {secret}"}

        def by_verb() -> Submit:
            return lambda: lifecycle.submit(text, by=alice)

        def by_rest() -> Submit:
            client = Client()

            def submit() -> None:
                answer = client.post(
                    "/api/v0.2/jobs/", {"definition": text}, content_type="application/json", headers=headers
                )
                assert answer.status_code == 201, answer.content

            return submit

        for name, new_client in (("verb", by_verb), ("REST", by_rest)):
            for clients in CLIENTS:
                rate = measure(new_client, clients)
                print(f"{name}, {clients} at once: {rate:,.0f} submissions/s")


def measure(new_client: Callable[[], Submit], clients: int) -> float:
    """Submissions per second."""
    from django.db import connections

    def many(submit: Submit) -> None:
        try:
            for _ in range(JOBS // clients):
                submit()
        finally:
            connections.close_all()

    submits = [new_client() for _ in range(clients)]
    for submit in submits:
        submit()
    began = perf_counter()
    with ThreadPoolExecutor(clients) as threads:
        list(threads.map(many, submits))
    return JOBS / (perf_counter() - began)


if __name__ == "__main__":
    main()
