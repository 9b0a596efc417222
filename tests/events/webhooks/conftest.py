from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tests.events.webhooks.endpoint import Endpoint, listening
from tests.events.webhooks.office import Office


@pytest.fixture
def endpoint(settings: Settings) -> Iterator[Endpoint]:
    """In a network that the lab has opened."""
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    with listening() as found:
        yield found


@pytest.fixture
def office(transactional_db: None) -> Iterator[Office]:
    office = Office()
    yield office
    office.close()
