"""Static files are served small, and exactly as they are."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from django.conf import settings as lab_settings
from django.templatetags.static import static
from django.test import Client
from pytest_django import Settings

STATIC = Path(lab_settings.STATICFILES_DIRS[0])
VIEWER = "/static/js/log.js"
MODULES = sorted((STATIC / "js").glob("*.js"), key=lambda path: path.name)
NAMED = re.compile(r"^(?:export )?(?:async )?(?:const|let|class|function\*?) (\w+)", re.MULTILINE)


@pytest.fixture
def browser() -> Client:
    return Client(headers={"accept-encoding": "gzip, deflate, br"})


def test_the_viewer_of_a_log_is_one_module_with_all_that_it_imports(browser: Client) -> None:
    answer = browser.get(VIEWER)

    script = gzip.decompress(answer.content).decode()
    assert answer["Content-Encoding"] == "gzip"
    assert answer["Content-Type"].startswith("text/javascript")
    assert "import" not in script
    assert "export" not in script
    for name in ("terminal", "linesIn", "places", "gutter", "folds", "search"):
        assert script.count(f"function {name}(") == 1


def test_a_module_gives_what_it_exports_and_nothing_that_it_imports(client: Client) -> None:
    script = client.get("/static/js/log-lines.js").content.decode()

    assert re.findall(r"export function (\w+)", script) == ["linesIn"]


def test_who_cannot_unpack_a_script_gets_the_same_one_unpacked(browser: Client, client: Client) -> None:
    plain = client.get(VIEWER)

    assert "Content-Encoding" not in plain
    assert int(plain["Content-Length"]) == len(plain.content)
    assert "Accept-Encoding" in plain["Vary"]
    assert plain.content == gzip.decompress(browser.get(VIEWER).content)


def test_a_script_that_is_as_it_was_is_not_sent_again(browser: Client) -> None:
    etag = browser.get(VIEWER)["ETag"]

    answer = browser.get(VIEWER, headers={"if-none-match": etag})

    assert (answer.status_code, answer.content) == (304, b"")


def test_a_page_names_the_very_script_which_is_kept_for_ever(browser: Client) -> None:
    address = static("js/log.js")

    kept = browser.get(address)["Cache-Control"]

    assert address.startswith(f"{VIEWER}?v=")
    assert (kept, browser.get(VIEWER)["Cache-Control"]) == (
        "max-age=31536000, public, immutable",
        "max-age=60, public",
    )


def test_a_script_that_is_not_the_one_that_was_named_is_not_kept_for_long(browser: Client) -> None:
    assert browser.get(f"{VIEWER}?v=another")["Cache-Control"] == "max-age=60, public"


@pytest.mark.parametrize("path", ["css/lava_lite.css", "img/icons.svg", "js/vendor/htmx-2.0.11.min.js"])
def test_styles_pictures_of_text_and_what_is_vendored_are_only_packed(browser: Client, path: str) -> None:
    assert gzip.decompress(browser.get(f"/static/{path}").content) == (STATIC / path).read_bytes()


def test_what_is_no_file_is_not_found(browser: Client, db: None) -> None:
    assert browser.get("/static/js/nothing.js").status_code == 404


def test_a_lab_that_is_debugged_serves_scripts_as_they_were_written(settings: Settings) -> None:
    settings.WHITENOISE_AUTOREFRESH = True

    answer = Client(headers={"accept-encoding": "gzip"}).get(static("js/log.js"))

    assert static("js/log.js") == VIEWER
    assert b"".join(answer) == (STATIC / "js/log.js").read_bytes()


def test_no_two_parts_of_the_viewer_give_something_the_same_name() -> None:
    parts = [path for path in MODULES if path.name.startswith(("log", "poll", "push"))]
    names = [name for path in parts for name in NAMED.findall(path.read_text())]

    assert len(parts) == 9
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_no_template_is_within_another_one_which_would_lose_its_spaces(path: Path) -> None:
    assert re.findall(r"\$\{[^}\n]*`.*", path.read_text()) == []
