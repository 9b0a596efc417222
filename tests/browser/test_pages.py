"""The pages of a running lab, as people use them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Response, expect

from tests import build
from tests.lab import Lab, eventually

LAB_SECONDS = 30.0  # to start a job on a busy machine, and to see its end
EXAMPLES = Path(__file__).parents[2] / "examples"

pytestmark = pytest.mark.lab


def local_job(name: str, *steps: str) -> str:
    return build.definition(name, device_type="local", steps=steps)


def log_in(page: Page, lab: Lab, to: str = "/") -> None:
    page.goto(f"{lab.url}/login/?next={to}")
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password").fill(lab.password)
    page.locator("main").get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{lab.url}{to}")


def submit(page: Page, lab: Lab, definition: str) -> int:
    """By the form, as a person does; the number of the job."""
    log_in(page, lab, "/submit/")
    page.get_by_label("Definition").fill(definition)
    page.get_by_role("button", name="Submit").click()
    page.wait_for_url(re.compile(r"/job/\d+/$"))
    return int(page.url.split("/")[-2])


def text_of(page: Page) -> str:
    text: str = page.evaluate("document.querySelector('[data-log-lines]').textContent")
    return text


def wait_for_end(page: Page, word: str = "Complete") -> None:
    expect(page.locator("#job-head .status.pill")).to_have_text(word, timeout=90_000)


def log_file(lab: Lab, job: int) -> Path:
    (found,) = lab.data.glob(f"logs/*/*/*/{job}/1/output.log")
    return found


def test_the_one_minute_job_is_submitted_watched_and_complete_to_the_byte(page: Page, lab: Lab) -> None:
    job = submit(page, lab, (EXAMPLES / "one-minute.yaml").read_text())

    sizes = set()
    assert eventually(lambda: "step   3 of 120" in text_of(page), LAB_SECONDS)
    expect(page.locator("#job-head .status.pill")).to_have_text("Running")
    while "step 120 of 120" not in text_of(page):
        sizes.add(len(text_of(page)))
        page.wait_for_timeout(200)
    wait_for_end(page)
    expect(page.get_by_text("Complete log")).to_be_visible()

    assert len(sizes) > 60
    assert text_of(page).encode() == log_file(lab, job).read_bytes()
    expect(page.locator("#job-aside")).to_contain_text("120 steps")


def test_a_prompt_is_visible_while_its_line_has_no_end(page: Page, lab: Lab) -> None:
    submit(page, lab, local_job("prompt", "printf 'login: '; sleep 4; echo root"))

    assert eventually(lambda: text_of(page).endswith("login: "), LAB_SECONDS)
    wait_for_end(page)
    assert "login: root\n" in text_of(page)


def test_a_lab_that_is_cut_off_and_comes_back_leaves_no_gap(page: Page, lab: Lab) -> None:
    steps = "for i in $(seq 1 60); do echo line $i; sleep 0.2; done"
    job = submit(page, lab, local_job("cut", steps))
    assert eventually(lambda: "\nline 5\n" in text_of(page), LAB_SECONDS)

    page.context.set_offline(True)
    expect(page.locator("[data-log-state]")).to_contain_text("Connection lost", timeout=5_000)
    expect(page.locator("[data-lost]")).to_be_visible(timeout=5_000)
    page.wait_for_timeout(1_000)
    page.context.set_offline(False)

    wait_for_end(page)
    expect(page.get_by_text("Complete log")).to_be_visible()
    assert text_of(page).encode() == log_file(lab, job).read_bytes()


def test_the_lists_are_live_and_right_again_within_five_seconds_after_a_cut(
    page: Page, chromium: Browser, lab: Lab
) -> None:
    page.goto(f"{lab.url}/jobs/")
    page.context.set_offline(True)
    expect(page.locator("[data-lost]")).to_be_visible()
    other = chromium.new_context()
    submit(other.new_page(), lab, local_job("made meanwhile", "true"))
    other.close()

    page.context.set_offline(False)

    expect(page.get_by_role("link", name="made meanwhile")).to_be_visible(timeout=5_000)
    expect(page.locator("[data-lost]")).to_be_hidden()


def test_a_fault_is_shown_with_its_line_and_mended_in_place(page: Page, lab: Lab) -> None:
    log_in(page, lab, "/submit/")
    wrong = local_job("mended", "true").replace("minutes: 5", "minutes: soon")
    page.get_by_label("Definition").fill(wrong)

    page.get_by_role("button", name="Submit").click()

    expect(page.locator("#faults")).to_contain_text("timeouts.job.minutes")
    expect(page.locator("#faults")).to_contain_text(re.compile(r"Line \d+"))
    assert page.get_by_label("Definition").input_value() == wrong
    page.get_by_label("Definition").fill(wrong.replace("soon", "5"))
    page.get_by_role("button", name="Submit").click()
    page.wait_for_url(re.compile(r"/job/\d+/$"))


def test_a_running_job_is_canceled_from_its_page(page: Page, lab: Lab) -> None:
    submit(page, lab, local_job("to be canceled", "echo begun", "sleep 60"))
    assert eventually(lambda: "begun" in text_of(page), LAB_SECONDS)

    page.get_by_role("button", name="Cancel", exact=True).click()

    wait_for_end(page, "Canceled")
    expect(page.get_by_role("button", name="Cancel", exact=True)).to_have_count(0)


def test_a_job_is_run_again_from_its_page(page: Page, lab: Lab) -> None:
    first = submit(page, lab, local_job("again", "true"))

    page.get_by_role("button", name="Run again").click()
    page.wait_for_url(lambda address: not address.endswith(f"/{first}/"))

    expect(page.locator("#job-head")).to_contain_text(f"again after #{first}")


def test_a_person_on_a_button_stays_there_when_the_page_renews_itself(page: Page, lab: Lab) -> None:
    submit(page, lab, local_job("focus", "sleep 3"))
    page.get_by_role("button", name="Run again").focus()

    wait_for_end(page)

    expect(page.get_by_role("button", name="Run again")).to_be_focused()


def test_without_scripts_the_end_of_the_log_is_read_and_a_job_is_canceled(
    chromium: Browser, page: Page, lab: Lab
) -> None:
    job = submit(page, lab, local_job("plain", "seq 1 20000", "sleep 60"))
    assert eventually(lambda: "\n20000\n" in text_of(page), LAB_SECONDS)
    context = chromium.new_context(java_script_enabled=False)
    plain = context.new_page()
    log_in(plain, lab, f"/job/{job}/")

    text = plain.locator("[data-log-lines]").inner_text()
    plain.get_by_role("button", name="Cancel").click()

    expect(plain.locator("#job-head")).to_contain_text(re.compile("Canceling|Canceled"))
    assert "\n20000\n" in text
    assert "\n1\n" not in text
    plain.get_by_role("link", name="Earlier output").click()
    assert "\n1\n2\n3\n" in plain.locator("[data-log-lines]").inner_text()
    context.close()


def test_a_list_is_searched_while_one_types_and_its_address_can_be_shared(
    page: Page, chromium: Browser, lab: Lab
) -> None:
    submit(page, lab, local_job("needle in the list", "true"))
    submit(page, lab, local_job("hay", "true"))
    page.goto(f"{lab.url}/jobs/")

    page.get_by_role("searchbox").press_sequentially("needle", delay=30)

    expect(page.get_by_role("link", name="hay")).to_have_count(0)
    expect(page).to_have_url(f"{lab.url}/jobs/?q=needle")
    expect(page.get_by_role("searchbox")).to_be_focused()
    expect(page.get_by_role("searchbox")).to_have_value("needle")
    page.wait_for_timeout(2_500)  # the list renews itself meanwhile
    expect(page.get_by_role("searchbox")).to_have_value("needle")
    expect(page.get_by_role("link", name="hay")).to_have_count(0)
    other = chromium.new_context()
    shared = other.new_page()
    shared.goto(page.url)
    expect(shared.get_by_role("link", name="needle in the list").first).to_be_visible()
    other.close()


def test_filters_add_up_and_are_removed_one_by_one(page: Page, lab: Lab) -> None:
    page.goto(f"{lab.url}/jobs/?type=local")

    page.get_by_role("link", name="Passed").click()
    expect(page).to_have_url(re.compile(r"status=passed&type=local|type=local&status=passed"))
    page.get_by_role("link", name=re.compile("Device type local")).click()

    expect(page).to_have_url(f"{lab.url}/jobs/?status=passed")
    expect(page.get_by_label("Device type")).to_have_value("")
    expect(page.get_by_role("link", name="Passed")).to_have_attribute("aria-current", "true")
    page.go_back()
    expect(page.get_by_label("Device type")).to_have_value("local")


def test_a_filtered_list_is_right_again_within_five_seconds_after_a_cut(
    page: Page, chromium: Browser, lab: Lab
) -> None:
    page.goto(f"{lab.url}/jobs/")
    page.get_by_role("searchbox").fill("cut off")
    expect(page.get_by_text("fits.")).to_be_visible()
    page.context.set_offline(True)
    expect(page.locator("[data-lost]")).to_be_visible()
    other = chromium.new_context()
    submit(other.new_page(), lab, local_job("while it was cut off", "true"))
    other.close()

    page.context.set_offline(False)

    expect(page.get_by_role("link", name="while it was cut off")).to_be_visible(timeout=5_000)


def test_the_log_goes_on_after_a_look_at_another_tab(page: Page, lab: Lab) -> None:
    job = submit(page, lab, local_job("tabs", "for i in $(seq 1 40); do echo line $i; sleep 0.2; done"))
    assert eventually(lambda: "line 3\n" in text_of(page), LAB_SECONDS)

    page.get_by_role("link", name="Definition").click()
    expect(page).to_have_url(f"{lab.url}/job/{job}/?tab=definition")
    expect(page.locator("#line-1")).to_contain_text("job_name: tabs")
    page.get_by_role("link", name="Log", exact=True).click()

    wait_for_end(page)
    expect(page.get_by_text("Complete log")).to_be_visible()
    assert text_of(page).encode() == log_file(lab, job).read_bytes()


def test_a_reason_that_is_being_written_stays_while_the_page_renews_itself(page: Page, lab: Lab) -> None:
    submit(page, lab, local_job("reason", "sleep 60"))
    expect(page.locator("#job-head .status.pill")).to_have_text("Running", timeout=30_000)

    page.locator("#cancel-why").click()
    page.get_by_label("Reason").fill("the wrong board")
    page.wait_for_timeout(3_000)
    expect(page.get_by_label("Reason")).to_have_value("the wrong board")
    page.get_by_role("button", name="Cancel with this reason").click()

    wait_for_end(page, "Canceled")
    expect(page.locator("#job-head")).to_contain_text("the wrong board")


def test_a_definition_is_checked_while_one_types_and_a_fault_leads_to_its_line(page: Page, lab: Lab) -> None:
    log_in(page, lab, "/submit/")
    editor = page.get_by_label("Definition")
    text = local_job("typed", "true")
    editor.fill(text + "priorty: high\n")

    expect(page.locator("#faults")).to_contain_text("priorty")
    line = text.count("\n") + 1
    expect(page.locator("[data-gutter] .bad")).to_have_count(1)
    assert (
        page.evaluate(
            "[...document.querySelector('[data-gutter] .bad').parentNode.children].findIndex(e => e.matches('.bad'))"
        )
        == line - 1
    )
    page.get_by_role("link", name=f"Line {line}").click()
    expect(editor).to_be_focused()
    page.keyboard.type("priority: high")

    expect(page.get_by_text("Nothing keeps this job out of the queue.")).to_be_visible()
    expect(page.locator("[data-gutter] .bad")).to_have_count(0)
    assert editor.input_value() == text + "priority: high\n"


def test_a_file_is_read_into_the_editor(page: Page, lab: Lab) -> None:
    log_in(page, lab, "/submit/")

    page.get_by_label("or a file").set_input_files(EXAMPLES / "hello.yaml")

    expect(page.get_by_label("Definition")).to_have_value((EXAMPLES / "hello.yaml").read_text())
    expect(page.get_by_text("Nothing keeps this job out of the queue.")).to_be_visible()


def test_a_command_is_copied(page: Page, lab: Lab) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    log_in(page, lab, "/submit/")

    page.get_by_role("button", name="Copy the command for curl").click()

    expect(page.get_by_text("Copied")).to_be_visible()
    assert f"{lab.url}/api/v0.2/jobs/" in page.evaluate("navigator.clipboard.readText()")


def test_a_theme_is_kept_from_page_to_page(page: Page, lab: Lab) -> None:
    page.goto(lab.url)
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")

    page.locator(".bar summary").click()
    page.get_by_role("button", name="Dark").click()
    page.goto(f"{lab.url}/jobs/")

    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light
    page.locator(".bar summary").click()
    expect(page.get_by_role("button", name="Dark")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="System").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == light


def test_keys_lead_to_the_main_pages_and_never_while_somebody_types(page: Page, lab: Lab) -> None:
    page.goto(lab.url)

    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.keyboard.press("g")
    page.keyboard.press("j")
    page.wait_for_url(f"{lab.url}/jobs/")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("gh?e/")

    expect(page.get_by_role("searchbox")).to_have_value("gh?e/")
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert page.url.startswith(f"{lab.url}/jobs/")


def test_a_newcomer_finds_out_why_the_failing_example_fails_and_runs_it_mended(page: Page, lab: Lab) -> None:
    log_in(page, lab)
    clicks = 0

    def click(role: str, name: str) -> None:
        nonlocal clicks
        page.locator("main").get_by_role(role, name=name, exact=True).first.click()  # type: ignore[arg-type]
        clicks += 1

    click("link", "Submit a job")
    click("link", "failing")
    click("button", "Submit")
    wait_for_end(page, "Incomplete")
    expect(page.locator("#job-head")).to_contain_text("block 23 is damaged")
    expect(page.locator(".failure")).to_contain_text(
        "ERROR: block 23: checksum is 5d41402a, expected 7d793037"
    )
    click("link", "Edit and run")
    editor = page.get_by_label("Definition")
    editor.fill(editor.input_value().replace("-eq 23", "-eq 99").replace("lava-test-raise", "echo"))
    click("button", "Submit")
    wait_for_end(page)

    expect(page.locator("#job-head")).to_contain_text("3 tests, none failed")
    assert clicks == 5


@pytest.mark.parametrize("address", ["/", "/jobs/", "/job/1/", "/devices/", "/device/local-01/", "/submit/"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_is_wider_than_a_phone(chromium: Browser, lab: Lab, address: str, scheme: str) -> None:
    context = chromium.new_context(viewport={"width": 390, "height": 844}, color_scheme=scheme)  # type: ignore[arg-type]
    phone = context.new_page()
    log_in(phone, lab, address)

    overflow = phone.evaluate("document.documentElement.scrollWidth - innerWidth")

    context.close()
    assert overflow <= 0


def test_a_page_loads_nothing_from_elsewhere(page: Page, lab: Lab) -> None:
    loaded: list[Response] = []
    page.on("response", lambda response: loaded.append(response))

    page.goto(f"{lab.url}/job/1/", wait_until="networkidle")

    assert {response.url.split("/")[2] for response in loaded} == {lab.url.split("/")[2]}
    assert all(response.status == 200 for response in loaded)


def test_a_step_leads_to_its_place_in_the_log_and_the_reader_stays_there(page: Page, lab: Lab) -> None:
    submit(page, lab, local_job("steps", "seq 5000"))
    wait_for_end(page)

    page.locator("#job-steps a", has_text="lava-test-shell").click()
    expect(page.get_by_text("Complete log")).to_be_visible()

    view = page.locator("[data-log-view]")
    assert "start: 1 lava-test-shell" in view.locator("pre").first.inner_text()[:100]
    assert eventually(lambda: "Job finished correctly" in text_of(page))
    assert view.evaluate("view => view.scrollTop") == 0


def test_on_a_phone_the_outline_is_folded_until_it_is_asked_for(page: Page, lab: Lab) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    submit(page, lab, local_job("steps", "true"))
    wait_for_end(page)
    step = page.locator("#job-steps a").first
    expect(step).to_be_hidden()

    page.get_by_text("Steps", exact=True).click()

    expect(step).to_be_visible()


def test_a_test_that_waits_for_a_person_goes_on_when_the_button_is_pressed(page: Page, lab: Lab) -> None:
    submit(page, lab, local_job("wait", "lava-lite-wait-for-person Press reset"))
    expect(page.locator("#job-waits")).to_contain_text("Press reset", timeout=30_000)

    page.get_by_label("Comment").fill("it was stuck")
    page.get_by_role("button", name="Done").click()

    wait_for_end(page)
    assert "\nit was stuck\n" in text_of(page)
    expect(page.locator("#job-waits")).to_be_empty()
