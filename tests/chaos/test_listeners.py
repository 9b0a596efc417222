"""Those who listen behave as the audit of a run takes for granted."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest

from tests.chaos.listeners import Heard
from tests.chaos.messages import Webhook
from tests.events.webhooks.endpoint import listening

ID = "0b8f6c1f-2d5e-4f0a-9c1d-7e5512345678"


def test_a_webhook_fails_once_however_often_it_is_told_to_and_counts_what_it_took() -> None:
    with listening() as endpoint:
        webhook = Webhook(endpoint)
        webhook.fail()
        webhook.fail()
        with pytest.raises(urllib.error.HTTPError) as refused:
            post(webhook.address)
        refused.value.close()
        assert (refused.value.code, webhook.heard) == (500, [])

        webhook.fail()
        post(webhook.address)

    assert webhook.heard == [Heard(7, ID.replace("-", ""))]
    assert (webhook.faults, webhook.connections) == ([], 2)


def post(address: str) -> None:
    body = json.dumps({"id": ID, "sequence": "0000007"}).encode()
    request = urllib.request.Request(address, data=body, headers={"webhook-id": ID})
    urllib.request.urlopen(request, timeout=20).close()
