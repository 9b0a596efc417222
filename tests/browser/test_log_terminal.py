"""What the viewer makes of what a device prints: colours, and lines that are written over."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.stub import Stub

ESC = "\x1b"

# Draws pieces into an element of its own; `whole` tells apart what looks the same.
DRAW = """async pieces => {
    const { linesIn } = await import("/static/js/log-lines.js");
    const element = document.createElement("div");
    const lines = linesIn(element, () => {});
    for (const piece of pieces) lines.append(piece);
    return element;
}"""
TEXT = f"async pieces => (await ({DRAW})(pieces)).textContent"
RUNS = f"""async pieces => [...(await ({DRAW})(pieces)).querySelectorAll("pre > span > *")].map(
    run => [run.className, run.getAttribute("style") ?? run.getAttribute("href") ?? "", run.textContent])"""
RANDOM_CUTS = f"""async text => {{
    const draw = {DRAW};
    const whole = (await draw([text])).outerHTML;
    const pieces = () => {{
        const cuts = Array.from({{ length: Math.random() * 40 }}, () => Math.floor(Math.random() * text.length));
        const ends = [...cuts.sort((a, b) => a - b), text.length];
        return ends.map((end, at) => text.slice(at ? ends[at - 1] : 0, end));
    }};
    for (let round = 0; round < 1_000; round++) {{
        const cut = pieces();
        if ((await draw(cut)).outerHTML !== whole) return cut;
    }}
    return null;
}}"""
# Of each colour on the ground of the log, and of that ground on each colour.
CONTRASTS = """() => {
    const light = rgb => rgb.match(/[0-9.]+/g).slice(0, 3).map(c => c / 255)
        .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
        .reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
    const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
    const run = document.querySelector("[data-log-lines]").appendChild(document.createElement("span"));
    const panel = getComputedStyle(document.querySelector(".log")).backgroundColor;
    const found = [];
    for (let colour = 0; colour < 16; colour++) {
        run.className = `ink${colour}`;
        found.push(ratio(getComputedStyle(run).color, panel));
        run.className = `turned paper${colour}`;
        found.push(ratio(getComputedStyle(run).color, getComputedStyle(run).backgroundColor));
    }
    return found;
}"""


@pytest.fixture(scope="module")
def terminal(chromium: Browser) -> Iterator[Page]:
    page = chromium.new_page()
    with Stub().serving() as stub:
        page.goto(stub.address)
        yield page
        page.close()


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        pytest.param("one\r\ntwo\r\n", "one\ntwo\n", id="line ends of a serial console"),
        pytest.param("10 %\r20 %\r100 %\n", "100 %\n", id="a carriage return writes over"),
        pytest.param("longer\rsh\n", "shnger\n", id="what is longer is seen behind it"),
        pytest.param(f"longer\rsh{ESC}[K\n", "sh\n", id="unless it is erased"),
        pytest.param(f"longer\rsh{ESC}[J\n", "sh\n", id="as well with the screen below"),
        pytest.param(f"ab{ESC}[1Kc\n", "  c\n", id="erased to the left"),
        pytest.param(f"abc{ESC}[2K\rd\n", "d\n", id="erased whole"),
        pytest.param("ls -lx\b \b\n", "ls -l \n", id="a shell takes a character back"),
        pytest.param(f"abc{ESC}[2Dx\n", "axc\n", id="the cursor goes left"),
        pytest.param(f"a{ESC}[3Cb{ESC}[2Gx\n", "ax  b\n", id="right, and to a column"),
        pytest.param(f"a{ESC}[999999999Cb\n", "a" + " " * 999 + "b\n", id="but not out of the room"),
        pytest.param(
            f"{ESC}[2J{ESC}[1;1H{ESC}[?25lboot{ESC}(B{ESC}=\n", "boot\n", id="screens are swallowed"
        ),
        pytest.param(f"{ESC}]0;title{ESC}\\x{ESC}P1$r{ESC}\\y\a\0\x7f\n", "xy\n", id="titles and bells too"),
        pytest.param(f"{ESC}]0;no end\nnext\n", "\nnext\n", id="a sequence ends with its line at the latest"),
        pytest.param("login: ", "login: ", id="a prompt"),
    ],
)
def test_lines_are_shown_as_a_terminal_shows_them(terminal: Page, printed: str, shown: str) -> None:
    assert terminal.evaluate(TEXT, [printed]) == shown
    assert terminal.evaluate(TEXT, list(printed)) == shown


@pytest.mark.parametrize(
    ("printed", "runs"),
    [
        pytest.param(f"{ESC}[1;31mred{ESC}[m x", [["bold ink1", "", "red"]], id="bold red"),
        pytest.param(f"{ESC}[92;44mx", [["ink10 paper4", "", "x"]], id="bright on blue"),
        pytest.param(f"{ESC}[41mx", [["turned paper1", "", "x"]], id="on red"),
        pytest.param(
            f"{ESC}[7;32mx{ESC}[27my", [["turned paper2", "", "x"], ["ink2", "", "y"]], id="reverse"
        ),
        pytest.param(
            f"{ESC}[2;3;4mx{ESC}[22;23;24my", [["dim italic underline", "", "x"]], id="and off again"
        ),
        pytest.param(f"{ESC}[38;5;9mx", [["ink9", "", "x"]], id="one of 256 that is one of 16"),
        pytest.param(f"{ESC}[38;5;208mx", [["", "color: rgb(255, 135, 0);", "x"]], id="of the cube"),
        pytest.param(
            f"{ESC}[48;5;244mx", [["turned", "background-color: rgb(128, 128, 128);", "x"]], id="grey"
        ),
        pytest.param(f"{ESC}[38;2;1;2;3mx", [["", "color: rgb(1, 2, 3);", "x"]], id="true colour"),
        pytest.param(f"{ESC}[38:2::1:2:3mx", [["", "color: rgb(1, 2, 3);", "x"]], id="with colons"),
        pytest.param(
            f"{ESC}[31ma\nb{ESC}[0m", [["ink1", "", "a"], ["ink1", "", "b"]], id="over a line's end"
        ),
        pytest.param(f"{ESC}[31ma{ESC}[0;31mb", [["ink1", "", "ab"]], id="what looks the same is one"),
        pytest.param(f"{ESC}[999;1000m{ESC}[38;5;999mx", [], id="unknown"),
        pytest.param(
            f"{ESC}]8;;https://a.example/\aa{ESC}]8;;\ab", [["", "https://a.example/", "a"]], id="link"
        ),
        pytest.param(f"{ESC}]8;;javascript:alert(1)\ax{ESC}]8;;\a", [], id="no link but to the web"),
        pytest.param(f"{ESC}]8;;data:text/html,x\ax", [], id="nor to data"),
    ],
)
def test_colours_are_shown(terminal: Page, printed: str, runs: list[list[str]]) -> None:
    assert terminal.evaluate(RUNS, [printed]) == runs


def test_ten_thousand_updates_of_a_progress_are_one_line(terminal: Page) -> None:
    updates = [f"\r{number / 100:.2f} %{ESC}[K" for number in range(10_001)]

    assert terminal.evaluate(TEXT, [*updates, "\n"]) == "100.00 %\n"
    assert (
        terminal.evaluate(
            f"async pieces => (await ({DRAW})(pieces)).querySelectorAll('span').length", updates
        )
        == 1
    )


def test_however_the_text_is_cut_the_same_is_shown(terminal: Page) -> None:
    text = (
        f"{ESC}[1;31mred {ESC}[38;2;1;2;3mtrue{ESC}[m grüße 🐍\r\n10%\r20%{ESC}[K\r100%{ESC}[0K\nab\b\bc\n"
        f"{ESC}]8;id=1;https://a.example/x{ESC}\\link{ESC}]8;;\a {ESC}]0;t\a{ESC}(B{ESC}[?25h{ESC}[4\nq{ESC}[2Gz\n"
        f"{ESC}{ESC}[7mreverse{ESC}[0;7mstill\n{ESC}[m\n\n{ESC}[{'1;' * 80}mtoo long\nend: {ESC}[32mok"
    )

    assert terminal.evaluate(RANDOM_CUTS, text) is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_of_the_sixteen_colours_can_be_read(terminal: Page, scheme: str) -> None:
    terminal.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]

    assert min(terminal.evaluate(CONTRASTS)) >= 4.5
