"""The short form of `make fuzz`: what the descriptions of the APIs promise, for everybody, with a fixed seed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fuzz.run import APIS, VISITORS, fuzz
from tests.gallery.lab import Lab, serving

pytestmark = [pytest.mark.lab, pytest.mark.long]

SHORT = ("--phases=fuzzing", "--max-examples=6", "--seed=1")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with serving(tmp_path_factory.mktemp("fuzz"), "full") as running:
        yield running


@pytest.mark.parametrize("visitor", VISITORS, ids=lambda visitor: visitor or "anonymous")
@pytest.mark.parametrize("api", APIS)
def test_every_answer_is_as_described(lab: Lab, api: str, visitor: str) -> None:
    finding = fuzz(lab, api, visitor, *SHORT)

    assert finding.is_clean, finding.output
    assert finding.cases > 100
