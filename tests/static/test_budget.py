"""What a browser has to load, and that it loads it from here only."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings

from lava_lite.static_files import Packed, text_of

STATIC = Path(settings.STATICFILES_DIRS[0])
TEMPLATES = Path(settings.TEMPLATES[0]["DIRS"][0])
VENDORED = ("js/vendor/htmx-2.0.11.min.js",)
EVERY_PAGE = ("css/lava_lite.css", "js/theme.js", "js/page.js", "js/keys.js", "js/copy.js", *VENDORED)
POLLER = ("js/poll.js",)
VIEWER = ("js/log.js",)
# Served within the viewer.
VIEWER_PARTS = (
    "js/push.js",
    "js/log-ansi.js",
    "js/log-lines.js",
    "js/log-places.js",
    "js/log-gutter.js",
    "js/log-folds.js",
    "js/log-tools.js",
)
JOB = ("js/job.js",)
LOG_STYLES = ("css/log.css",)
EDITOR = ("js/editor.js",)
INVENTORY = ("js/choose.js",)
EVENTS = ("js/events.js",)
ADMIN_SITE = ("css/admin.css",)
API_REFERENCE = ("css/api.css",)
OWN_SCRIPTS = [path for path in sorted(STATIC.rglob("*.js")) if "vendor" not in path.parts]


def loaded(*names: str) -> int:
    """How many bytes a browser loads of these files."""
    return sum(len(Packed.of(text_of(STATIC / name)).gzipped) for name in names)


def test_the_poller_alone_is_a_kilobyte_and_a_half() -> None:
    assert loaded(*POLLER) <= 1_500


def test_the_whole_viewer_is_twelve_kilobytes() -> None:
    assert loaded(*VIEWER) <= 12_000


@pytest.mark.parametrize("own", [(*JOB, *VIEWER, *LOG_STYLES), EDITOR], ids=["a job", "submit"])
def test_a_page_is_at_most_sixty_kilobytes_of_styles_and_scripts(own: tuple[str, ...]) -> None:
    assert loaded(*EVERY_PAGE, *own) <= 60_000


def test_every_page_loads_what_is_counted_for_every_page() -> None:
    sources = "".join((TEMPLATES / name).read_text() for name in ("skeleton.html", "base.html"))

    assert set(re.findall(r"{% static '([^']+\.(?:js|css))' %}", sources)) == set(EVERY_PAGE)


def test_what_is_vendored_has_its_version_in_its_name_and_its_licence_beside_it() -> None:
    (htmx,) = (STATIC / name for name in VENDORED)

    version = htmx.name.removeprefix("htmx-").removesuffix(".min.js")
    assert f'version:"{version}"' in htmx.read_text()
    assert "Zero-Clause BSD" in (htmx.parent / "htmx-LICENSE.txt").read_text()


def test_every_script_and_style_is_counted() -> None:
    found = {str(path.relative_to(STATIC)) for path in STATIC.rglob("*") if path.suffix in {".js", ".css"}}

    assert found == {
        *EVERY_PAGE,
        *JOB,
        *POLLER,
        *VIEWER,
        *VIEWER_PARTS,
        *LOG_STYLES,
        *EDITOR,
        *INVENTORY,
        *EVENTS,
        *ADMIN_SITE,
        *API_REFERENCE,
    }


@pytest.mark.parametrize("path", OWN_SCRIPTS, ids=lambda path: path.name)
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
