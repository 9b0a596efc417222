"""The program that docs/subscriptions.md shows does what it is shown for."""

from __future__ import annotations

import re
import subprocess
import sys

from django.contrib.auth.models import User

from accounts.models import Scope, Token
from events.models import Subscription
from events.subscriptions import lifecycle
from tests import build
from tests.docs.tables import DOCS
from tests.serving import Site, do


def test_the_program_prints_each_event_and_acknowledges_it(site: Site, alice: User) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", (DOCS / "subscriptions.md").read_text(), re.DOTALL)
    lifecycle.add(alice, "bridge", filter="job.#")
    job = do(lambda: build.job(submitter=alice))
    address = f"http://127.0.0.1:{site.port}/api/v1/subscriptions/bridge/"
    words = [sys.executable, "-c", program.replace('"wait": 10', '"wait": 0.2'), address]

    done = subprocess.run(
        [*words, Token.objects.issue(alice, scope=Scope.READ)], capture_output=True, text=True, timeout=60
    )

    assert (done.stdout, done.stderr) == (f"lava_lite.job.submitted {job.pk}\n", "")
    subscription = Subscription.objects.get()
    assert subscription.sequence == subscription.told
