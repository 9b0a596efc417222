"""What a browser has to load, and that it loads it from here only."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from django.conf import settings

STATIC = Path(settings.STATICFILES_DIRS[0])
TEMPLATES = Path(settings.TEMPLATES[0]["DIRS"][0])
VIEWER = ("js/poll.js", "js/log.js")
PAGE = ("css/lava_lite.css", "js/page.js", "js/choose.js", *VIEWER)
ADMIN_SITE = ("css/admin.css",)
API_REFERENCE = ("css/api.css",)


def zipped(*names: str) -> int:
    return sum(len(gzip.compress((STATIC / name).read_bytes())) for name in names)


def test_the_poller_alone_is_a_kilobyte_and_a_half() -> None:
    assert zipped("js/poll.js") <= 1_500


def test_the_whole_viewer_is_twelve_kilobytes() -> None:
    assert zipped(*VIEWER) <= 12_000


def test_the_largest_page_is_sixty_kilobytes_of_styles_and_scripts() -> None:
    assert zipped(*PAGE) <= 60_000


def test_every_script_and_style_is_counted() -> None:
    found = {str(path.relative_to(STATIC)) for path in STATIC.rglob("*") if path.suffix in {".js", ".css"}}

    assert found == {*PAGE, *ADMIN_SITE, *API_REFERENCE}


@pytest.mark.parametrize("path", sorted(STATIC.rglob("*.js")), ids=lambda path: path.name)
def test_scripts_never_write_markup_or_styles_as_text(path: Path) -> None:
    source = path.read_text()

    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|cssText", source)
    assert not re.search(r"https?://", source)


def test_every_icon_that_a_page_names_is_drawn() -> None:
    drawn = set(re.findall(r'<symbol id="([\w-]+)"', (STATIC / "img/icons.svg").read_text()))
    sources = [*TEMPLATES.rglob("*.html"), *Path(settings.ROOT).glob("*/looks.py")]
    named = {
        name
        for source in sources
        for name in re.findall(r'{% icon "(\w+)"|icon="(\w+)"', source.read_text())
        for name in name
        if name
    }

    assert named <= drawn
