"""
The page in a real browser: the whole box as a process, and walks that its users take.

Needs the system's Chromium; ``playwright`` itself downloads none.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest

from tests.appliance.test_serve import Box
from tests.builders import a_picture

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="sudo apt install chromium")
ARRIVED = """() => performance.getEntriesByType("resource")
  .filter((entry) => !entry.name.endsWith("/preview.jpg")).length"""
sync_api = pytest.importorskip("playwright.sync_api", reason="make test installs playwright")

# Chromium refuses its sandbox to root, as whom containers run tests.
SANDBOX = ["--no-sandbox"] if os.geteuid() == 0 else []
PHONE, DESKTOP = (390, 844), (1280, 860)
HOSTILE = "<img src=x onerror=alert(1)> {title}"
TAKE, FILE, HEATMAP = "Take picture", "Send a picture file", "Heatmap"
AGAIN = "Take another picture"


@pytest.fixture(scope="module")
def box():
    running = Box(
        environment={
            "EDGEDERM_HISTORY__KEEP_PICTURES": "true",
            "EDGEDERM_PANEL__KIND": "simulated",
        }
    )
    yield running
    assert running.stop() == 0
    assert not [line for line in running.log if "Traceback" in line]


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=SANDBOX)
        yield opened
        opened.close()


@pytest.fixture
def visit(browser):
    """Open pages; afterwards no script may have failed, and no policy refused anything."""
    contexts, complaints = [], []

    def listen(message):
        # A problem that a walk is about is no fault of the page.
        if message.type == "error" and "Failed to load resource" not in message.text:
            complaints.append(message.text)

    def open_page(address, *, size=DESKTOP, prepare=None, **options):
        width, height = size
        context = browser.new_context(
            viewport={"width": width, "height": height}, accept_downloads=True, **options
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("console", listen)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        if prepare is not None:
            prepare(page)
        page.goto(address)
        page.wait_for_selector("main h1")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def page(visit, box):
    return visit(box.url)


def png(picture_HWC=None):
    picture_HWC = a_picture(2) if picture_HWC is None else picture_HWC
    return cv2.imencode(".png", picture_HWC[:, :, ::-1])[1].tobytes()


def picture_file():
    return {"name": "lesion.png", "mimeType": "image/png", "buffer": png()}


def send(page, file):
    page.set_input_files("#picker", file)


def settle(page):
    """Wait until for most of a second nothing has come but the live picture, which never ends."""
    seen, quiet = -1, 0
    for _ in range(150):
        page.wait_for_timeout(100)
        arrived = page.evaluate(ARRIVED)
        quiet = quiet + 1 if arrived == seen else 0
        if quiet == 8:
            return
        seen = arrived
    raise AssertionError("the page asks for more and more")


def word_of_answer(page):
    page.wait_for_selector(".answer-parts")
    return page.locator(".answer-word").inner_text()


def answer_with(word, probability=0.62):
    """Let the box answer, and change the word on the way: models come and go."""

    def prepare(page):
        def change(route):
            response = route.fetch()
            body = response.json()
            body.update(result=word, probability_malignant=probability)
            route.fulfill(response=response, json=body)

        page.route(re.compile(r"/classify$"), change)

    return prepare


def test_the_first_visit_stays_in_the_box_and_says_what_it_is_for(visit, box):
    asked = []
    page = visit(
        box.url, prepare=lambda page: page.on("request", lambda request: asked.append(request.url))
    )
    notice = page.get_by_role("complementary")
    assert "For research and education only" in notice.inner_text()
    assert notice.is_visible()
    assert page.title() == "Examine a lesion – EdgeDerm"
    assert page.get_by_role("heading", name="A good picture").is_visible()
    page.get_by_role("link", name="Ready").wait_for()
    settle(page)
    assert {urlsplit(address).netloc for address in asked} == {urlsplit(box.url).netloc}
    again = page.reload()
    assert again.from_service_worker is False
    page.wait_for_selector("main h1")


def test_a_picture_is_taken_and_answered(page):
    page.get_by_role("button", name=TAKE).click()
    word = word_of_answer(page)
    assert word in {"Benign", "Malignant", "Uncertain", "Retake"}
    assert page.evaluate("document.activeElement.textContent") == word
    answer = page.get_by_role("region", name="Answer")
    assert answer.get_by_role("heading", name="What this does not mean").is_visible()
    assert "%" in answer.inner_text()
    assert page.get_by_role("button", name=TAKE).is_enabled()


def test_the_answer_that_asks_for_another_picture_shows_no_probability(page):
    """Among the six pictures of the replay camera one is dark and one the lens cap."""
    page.get_by_role("button", name=TAKE).click()
    for _ in range(6):
        if word_of_answer(page) == "Retake":
            break
        page.locator(".answer-parts").evaluate("place => place.remove()")
        page.get_by_role("button", name=TAKE).click()
    answer = page.get_by_role("region", name="Answer")
    assert answer.get_by_role("heading", name="What to do").is_visible()
    assert "too dark" in answer.inner_text()
    assert "%" not in answer.inner_text()
    page.locator(".answer-parts").evaluate("place => place.dataset.old = 'yes'")
    answer.get_by_role("button", name=AGAIN).click()
    page.wait_for_selector(".answer-parts:not([data-old])")


@pytest.mark.parametrize(
    ("name", "content", "title", "is_sent"),
    [
        ("letter.jpg", b"Dear doctor", "no JPEG or PNG", False),
        ("empty.jpg", b"", "file is empty", False),
        ("huge.png", png(), "too large", False),
        ("cut.png", png()[:2000], "is damaged", True),
        ("dot.png", png(np.zeros((32, 32, 3), np.uint8)), "too small", True),
    ],
    ids=["letter", "empty", "huge", "cut", "dot"],
)
def test_a_bad_file_is_refused_in_plain_words(visit, box, name, content, title, is_sent):
    sent = []
    page = visit(
        box.url,
        prepare=lambda page: page.on(
            "request", lambda request: sent.append(request) if request.method == "POST" else None
        ),
    )
    if name == "huge.png":
        page.evaluate("document.documentElement.dataset.maxUploadBytes = 1024")
    send(page, {"name": name, "mimeType": "image/png", "buffer": content})
    problem = page.get_by_role("alert")
    problem.wait_for()
    assert title in problem.get_by_role("heading").inner_text()
    assert problem.locator("p").first.inner_text()
    assert bool(sent) is is_sent
    if is_sent:
        problem.get_by_text("What the box said").click()
        assert "expected" in problem.locator(".raw").inner_text()


def test_a_picture_that_was_sent_is_shown_with_its_heatmap(page):
    send(page, picture_file())
    if word_of_answer(page) == "Retake":
        pytest.fail("the drawn lesion is expected to pass the gate")
    assert page.locator(".frame canvas").evaluate("canvas => canvas.width") == 200
    toggle = page.get_by_role("button", name=HEATMAP)
    assert toggle.get_attribute("aria-pressed") == "false"
    toggle.click()
    assert toggle.get_attribute("aria-pressed") == "true"
    heatmap = page.get_by_role("img", name="found evidence")
    heatmap.wait_for()
    heatmap.evaluate("image => image.decode()")
    assert page.get_by_text("Strong evidence").is_visible()
    toggle.click()
    assert page.locator(".frame canvas").is_visible()


def test_a_file_can_be_dropped(page):
    content = list(png())
    data = page.evaluate_handle(
        """content => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(content)], "a.png", { type: "image/png" }));
            return data;
        }""",
        content,
    )
    for kind in ("dragenter", "dragover", "drop"):
        page.dispatch_event(".drop", kind, {"dataTransfer": data})
    word_of_answer(page)


@pytest.mark.parametrize("word", ["benign", "malignant", "uncertain", "retake"])
def test_each_answer_has_its_word_and_shape_and_says_what_it_does_not_mean(visit, box, word):
    page = visit(box.url, prepare=answer_with(word))
    page.get_by_role("button", name=TAKE).click()
    assert word_of_answer(page).lower() == word
    card = page.locator(f".answer.is-{word}")
    flashes = {"benign": 0, "retake": 1, "uncertain": 2, "malignant": 3}[word]
    assert card.locator("svg.shape circle.flash").count() == flashes
    assert card.locator(".limits li").count() >= 1
    assert ("62%" in card.inner_text()) == (word != "retake")
    if word == "benign":
        assert "does not mean that nothing is wrong" in card.inner_text()


def annotate(page, **fields):
    form = page.locator("form.form")
    for label, value in fields.items():
        form.get_by_label(label, exact=True).fill(value)
    form.get_by_role("button", name="Save").click()
    page.get_by_text("Saved.").first.wait_for()


def test_a_result_is_found_handed_out_and_erased(page, box):
    assert box.ask("/classify", body=png(), headers={"Content-Type": "image/png"})[0] == 200
    send(page, picture_file())
    word_of_answer(page)
    page.get_by_text("Patient, lesion and note").click()
    annotate(page, Patient=HOSTILE, Note="<b>a note</b>")
    page.get_by_role("link", name="History", exact=True).click()
    page.get_by_text("Filter", exact=True).click()
    page.get_by_label("Patient", exact=True).fill(HOSTILE)
    page.get_by_role("button", name="Show", exact=True).click()
    page.locator("main").get_by_text("1 result", exact=True).wait_for()
    row = page.locator("a.result")
    # What somebody typed is text, and only text.
    assert HOSTILE in row.inner_text()
    assert row.locator("img[src='x']").count() == 0
    assert "P" not in urlsplit(page.url).fragment

    with page.expect_download() as found:
        page.get_by_role("link", name="CSV").click()
    table = found.value.path().read_text()
    assert len(table.splitlines()) == 2
    assert HOSTILE in table

    row.click()
    page.get_by_role("heading", name="Result", exact=True).wait_for()
    with page.expect_download() as found:
        page.get_by_role("link", name="PDF").click()
    assert found.value.path().read_bytes().startswith(b"%PDF")
    page.get_by_role("button", name="Erase").click()
    question = page.get_by_role("dialog", name="Erase this result?")
    assert question.get_by_role("button", name="Keep it").evaluate(
        "button => button === document.activeElement"
    )
    page.keyboard.press("Escape")
    question.wait_for(state="detached")
    page.get_by_role("button", name="Erase").click()
    question.get_by_role("button", name="Erase").click()
    page.get_by_role("heading", name="Erased").wait_for()

    page.get_by_role("link", name="Back to the history").click()
    page.get_by_text("No result matches the filter.").wait_for()
    page.get_by_role("button", name="Show all").click()
    page.locator("a.result").first.wait_for()


def test_a_long_history_is_shown_page_by_page(page, box):
    content = png()
    for _ in range(27):
        assert box.ask("/classify", body=content, headers={"Content-Type": "image/png"})[0] == 200
    page.get_by_role("link", name="History", exact=True).click()
    page.locator("main").get_by_text("The newest 25 results").wait_for()
    page.get_by_role("button", name="Show more").click()
    # Whoever uses the keyboard goes on where the new ones begin.
    sync_api.expect(page.locator("a.result").nth(25)).to_be_focused()


def test_a_lesion_is_shown_over_time_and_no_address_tells_whose(page):
    for _ in range(2):
        page.goto(page.url.partition("#")[0] + "#/")
        page.locator(".answer-parts").evaluate_all("places => places.map(place => place.remove())")
        send(page, picture_file())
        word_of_answer(page)
        page.get_by_text("Patient, lesion and note").click()
        annotate(page, Patient="P-113", Lesion="left arm <1>")
    page.get_by_role("link", name="Lesions").click()
    page.get_by_role("link", name="left arm <1>").click()
    page.get_by_role("heading", name="Lesion “left arm <1>”").wait_for()
    sync_api.expect(page.get_by_role("figure")).to_have_count(2)
    assert urlsplit(page.url).fragment == "/lesion"
    page.get_by_role("button", name=HEATMAP).click()
    sync_api.expect(page.locator("img.heatmap")).to_have_count(2)
    page.reload()
    page.get_by_role("heading", name="Lesion “left arm <1>”").wait_for()
    page.go_back()
    page.get_by_role("heading", name="Lesions over time").wait_for()


def test_keyboard_alone_is_enough(page):
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == TAKE
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "picker"
    page.keyboard.press("Control+Enter")
    word = word_of_answer(page)
    assert page.evaluate("document.activeElement.textContent") == word
    seen = []
    for _ in range(12):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.textContent"))
        if seen[-1] == "Record":
            break
    page.keyboard.press("Enter")
    page.get_by_text("Model file, SHA-256").wait_for()
    # A box that is focused can be seen to be.
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_the_preview_is_read_only_while_it_is_looked_at(visit, box):
    asked = []
    picture = cv2.imencode(".jpg", a_picture()[:, :, ::-1])[1].tobytes()

    def prepare(page):
        def show(route):
            asked.append(time.monotonic())
            route.fulfill(body=picture, content_type="image/jpeg")

        page.route("**/preview.jpg", show)

    page = visit(box.url, prepare=prepare)
    page.wait_for_selector(".preview[data-kind=live]")
    page.wait_for_timeout(1500)
    assert 2 <= len(asked) <= 8  # At most four a second.
    page.evaluate(
        """() => {
            Object.defineProperty(document, "hidden", { value: true, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
        }"""
    )
    page.wait_for_timeout(400)
    before = len(asked)
    page.wait_for_timeout(1200)
    assert len(asked) == before
    page.evaluate(
        """() => {
            Object.defineProperty(document, "hidden", { value: false, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
        }"""
    )
    page.wait_for_timeout(800)
    assert len(asked) > before
    page.get_by_role("link", name="Model").click()
    page.get_by_role("heading", name="The model", exact=True).wait_for()
    page.wait_for_timeout(400)
    before = len(asked)
    page.wait_for_timeout(1000)
    assert len(asked) == before


def test_a_part_that_does_not_work_is_named_with_what_to_do(visit, box):
    problem = {
        "type": "urn:problem-type:edgederm:not-ready",
        "title": "The box is not ready",
        "status": 503,
        "detail": "not ready: camera: no frame",
        "code": "not-ready",
        "parts": {"model": "ok", "camera": "no frame for 5 s", "history": "ok"},
    }

    def prepare(page):
        page.route("**/readyz", lambda route: route.fulfill(status=503, json=problem))
        # No news: then the page asks instead.
        page.route("**/events", lambda route: route.fulfill(status=204))

    page = visit(box.url, prepare=prepare)
    page.get_by_role("link", name="Needs attention").click()
    page.get_by_text("A part needs attention.").wait_for()
    assert page.get_by_text("plug it in again").is_visible()
    assert page.get_by_text("no frame for 5 s").is_visible()


ONE_EVENT = """
window.EventSource = class extends EventTarget {
    constructor() {
        super();
        const event = new MessageEvent("state", { data: '%s' });
        setTimeout(() => this.dispatchEvent(event));
    }
    close() {}
};
"""


def test_a_check_forgets_neither_button_nor_light(visit, box):
    """Readiness tries what answers; of the panel the state alone tells."""
    state = box.ask("/state")[1]
    state["parts"]["panel"] = "the chip is gone"
    page = visit(
        f"{box.url}/#/box",
        prepare=lambda page: page.add_init_script(ONE_EVENT % json.dumps(state)),
    )
    page.get_by_text("the chip is gone").wait_for()
    with page.expect_response("**/readyz") as found:
        page.get_by_role("button", name="Check now").click()
    assert found.value.status == 200
    settle(page)
    assert page.get_by_text("A part needs attention.").is_visible()
    assert page.get_by_text("the chip is gone").is_visible()


def test_a_press_of_the_button_shows_its_answer_on_the_page(page, box):
    """Whoever else makes the box take a picture does the same."""
    page.get_by_role("link", name="Ready").wait_for()
    status, body = box.ask("/classify")
    assert status == 200
    assert word_of_answer(page).lower() == body["result"]
    # But nobody is interrupted in the middle of a word, nor shown another one's upload.
    page.locator("summary", has_text="Patient, lesion and note").click()
    page.get_by_label("Note").fill("first of two")
    assert box.ask("/classify")[0] == 200
    assert box.ask("/classify", body=png(), headers={"Content-Type": "image/png"})[0] == 200
    page.locator("#status", has_text="A picture was taken").wait_for()
    assert page.get_by_label("Note").input_value() == "first of two"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A box that asks for tokens, and one token of each role."""
    state = tmp_path_factory.mktemp("state")
    environment = {
        "EDGEDERM_SERVER__REQUIRE_TOKEN": "true",
        "EDGEDERM_SERVER__STATE_PATH": str(state),
        "EDGEDERM_HISTORY__PATH": str(state),
    }
    secrets = {
        role: subprocess.run(
            [sys.executable, "-m", "device", "token", "add", f"a {role}er", "--role", role],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for role in ("read", "operate", "admin")
    }
    running = Box(environment=environment)
    yield running.url, secrets
    running.stop()


def log_in(page, secret):
    page.get_by_label("Token").fill(secret)
    page.get_by_role("button", name="Log in").click()


def test_a_wrong_token_is_refused_and_a_right_one_is_kept_from_scripts(visit, guarded):
    url, secrets = guarded
    page = visit(url)
    page.get_by_role("heading", name="Log in").wait_for()
    assert not page.get_by_role("navigation").is_visible()
    assert page.get_by_role("complementary").is_visible()
    log_in(page, "edgederm-not-a-token-of-this-box")
    page.get_by_role("alert").get_by_text("not a token of this box").wait_for()
    log_in(page, secrets["operate"])
    page.get_by_role("button", name=TAKE).click()
    word_of_answer(page)
    cookie = page.context.cookies()[0]
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert secrets["operate"] not in json.dumps(page.context.storage_state())
    assert secrets["operate"] not in page.url
    assert page.evaluate("document.cookie") == ""
    page.reload()
    page.get_by_role("button", name=TAKE).wait_for()
    page.get_by_role("link", name="History", exact=True).click()
    page.locator("a.result").first.click()
    page.wait_for_selector(".answer-word")
    # To erase takes an admin.
    assert page.get_by_role("button", name="Erase").count() == 0
    page.get_by_role("link", name="Box", exact=True).click()
    page.get_by_role("button", name="Log out").click()
    page.get_by_role("heading", name="Log in").wait_for()
    page.reload()
    page.get_by_role("heading", name="Log in").wait_for()


def test_who_may_only_look_is_offered_nothing_else(visit, guarded):
    url, secrets = guarded
    page = visit(url)
    log_in(page, secrets["read"])
    page.get_by_text("you can look at results").wait_for()
    assert page.get_by_role("button", name=TAKE).count() == 0
    page.get_by_role("link", name="History", exact=True).click()
    page.locator("a.result").first.wait_for()
    assert page.get_by_role("link", name="CSV").count() == 0


def test_an_admin_revokes_a_token_and_reads_who_did_what(visit, guarded):
    from axe_playwright_python.sync_playwright import Axe

    url, secrets = guarded
    page = visit(url, size=PHONE)
    log_in(page, secrets["admin"])
    page.get_by_role("link", name="Box", exact=True).click()
    page.get_by_role("link", name="Tokens").click()
    page.get_by_text("3 tokens open this box.").wait_for()
    assert Axe().run(page).violations_count == 0
    assert "device token add" in page.locator("main").inner_text()
    assert "used here" in page.get_by_role("listitem").filter(has_text="a adminer").inner_text()
    revoke = page.get_by_role("button", name="Revoke the token of a reader")
    revoke.click()
    page.get_by_role("button", name="Keep it").click()
    assert revoke.is_visible()
    revoke.click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    page.get_by_text("Revoked: a reader.").wait_for()
    page.get_by_text("2 tokens open this box.").wait_for()
    page.get_by_role("link", name="Back to the box").click()
    page.get_by_role("link", name="Audit trail").click()
    newest = page.locator(".entries li").first
    newest.wait_for()
    assert Axe().run(page).violations_count == 0
    assert "Token revoked" in newest.inner_text()
    assert "Token: a adminer (" in newest.inner_text()
    assert "Token made: look after the box" in page.locator("main").inner_text()
    # The reader is out at once, and whoever is no admin is offered none of this.
    stranger = visit(url)
    log_in(stranger, secrets["read"])
    stranger.get_by_role("alert").get_by_text("not a token of this box").wait_for()
    log_in(stranger, secrets["operate"])
    stranger.get_by_role("link", name="Box", exact=True).click()
    stranger.get_by_text("Logged in as").wait_for()
    assert stranger.get_by_role("link", name="Tokens").count() == 0
    stranger.goto(f"{url}/#/tokens")
    stranger.get_by_text("This takes a token with the role admin.").wait_for()


def clock_of_a_box(asked, told, answer=None):
    """Tell the page of another clock than this machine's, which no test sets."""

    def prepare(page):
        def tell(route):
            if route.request.method == "GET":
                route.fulfill(json=told)
                return
            asked.append(route.request.post_data_json["now"])
            if answer is None:
                told.update(now=asked[-1], clock_trusted=True, set_by="person")
                route.fulfill(json={**told, "before": WRONG, "chip_set": False})
            else:
                route.fulfill(status=answer["status"], json=answer)

        page.route("**/clock", tell)

    return prepare


WRONG = "2026-01-02T03:04:05Z"


def test_an_admin_sets_a_clock_that_is_wrong(visit, box):
    asked = []
    told = {"now": WRONG, "clock_trusted": False, "set_by": None, "settable": True}
    page = visit(f"{box.url}/#/box", prepare=clock_of_a_box(asked, told))
    page.get_by_text("It differs from this device by").wait_for()
    assert page.get_by_text("the times of results are not to be trusted").is_visible()
    page.get_by_role("button", name="Set the clock by this device").click()
    page.get_by_role("button", name="Leave it").click()
    assert asked == []
    page.get_by_role("button", name="Set the clock by this device").click()
    page.get_by_role("button", name="Set the clock", exact=True).click()
    page.locator(".done", has_text="The clock is set.").wait_for()
    sent = datetime.fromisoformat(asked[0])
    assert abs(sent - datetime.now(UTC)) < timedelta(minutes=1)
    assert page.get_by_text("Somebody set it by hand").is_visible()
    assert page.get_by_text("clock chip could not be set").is_visible()
    assert page.get_by_role("button", name="Set the clock").count() == 0


def test_a_clock_that_cannot_be_set_is_told(visit, box):
    told = {"now": WRONG, "clock_trusted": False, "set_by": None, "settable": True}
    refusal = {"status": 503, "code": "clock", "detail": "expected the right to set it"}
    page = visit(f"{box.url}/#/box", prepare=clock_of_a_box([], told, refusal))
    page.get_by_role("button", name="Set the clock by this device").click()
    page.get_by_role("button", name="Set the clock", exact=True).click()
    page.get_by_role("alert").get_by_text("The clock could not be set").wait_for()


def test_a_clock_that_is_not_for_people_to_set_has_no_button(page):
    """As this box's: its settings do not allow it."""
    page.get_by_role("link", name="Box", exact=True).click()
    page.get_by_text("agrees with this device").wait_for()
    assert page.get_by_role("button", name="Set the clock").count() == 0


def test_a_board_that_gets_too_little_power_is_told_what_to_do(visit, box):
    board = {
        "temperatures_celsius": {"cpu-thermal": 71.4, "gpu-thermal": 68.0},
        "limit_celsius": 80.0,
        "limited": {"under_voltage": True, "throttled": False},
        "limited_since_start": {"under_voltage": True, "throttled": True},
        "storage_free_bytes": 3 * 2**30,
        "storage_size_bytes": 29 * 2**30,
    }

    def prepare(page):
        page.route("**/board", lambda route: route.fulfill(json=board))

    page = visit(f"{box.url}/#/box", prepare=prepare)
    page.get_by_text("too little voltage", exact=True).wait_for()
    said = page.locator("main").inner_text()
    assert "71 °C" in said
    assert "From 80 °C on" in said
    assert "3 GiB free of 29 GiB" in said
    assert "Use the power supply that was made for the board" in said
    page.get_by_text("The model is computed by the processor.").wait_for()


def test_the_model_card_says_what_is_promised_of_missed_lesions(page, box):
    promise = box.ask("/model")[1]["guarantee"]
    page.get_by_role("link", name="Model").click()
    card = page.locator(".promise")
    card.wait_for()
    said = card.inner_text()
    assert f"At most {100 * promise['miss_rate']:g} of 100" in said
    assert f"confidence of {promise['confidence']:.1%}" in said
    assert f"It rests on {promise['lesions']} malignant lesions" in said
    assert f"called {promise['missed']} benign" in said


TEXTS_OF_THE_PAGE = """() => {
    const found = [];
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
        if (!walk.currentNode.parentElement.closest("code, .raw, time, noscript"))
            found.push(walk.currentNode.data);
    }
    for (const element of document.querySelectorAll("[aria-label], [alt], [title]"))
        for (const name of ["aria-label", "alt", "title"])
            found.push(element.getAttribute(name) ?? "");
    return [document.title, ...found];
}"""
MARKED = re.compile("⟦[^⟦⟧]*(⟦[^⟦⟧]*⟧[^⟦⟧]*)*⟧")
"""A text, which may hold others."""


def marked(words):
    return {key: text if key == "language" else f"⟦{text}⟧" for key, text in words.items()}


def test_every_text_comes_from_the_catalogue(visit, box):
    """With every text of the catalogue marked, what is not marked is a figure or data."""

    def prepare(page):
        def mark_catalogue(route):
            response = route.fetch()
            route.fulfill(response=response, json=marked(response.json()))

        def mark_shell(route):
            response = route.fetch()
            # Between two tags, and in a label.
            text = re.sub(r">([^<>{]*\w[^<>]*)<", r">⟦\1⟧<", response.text())
            text = re.sub(r'aria-label="([^"]*)"', r'aria-label="⟦\1⟧"', text)
            route.fulfill(response=response, body=text)

        page.route("**/texts.json", mark_catalogue)
        page.route(f"{box.url}/", mark_shell)

    page = visit(box.url, prepare=prepare)
    strays = set()

    def look():
        settle(page)
        strays.update(
            text
            for text in page.evaluate(TEXTS_OF_THE_PAGE)
            if re.search(r"[^\W\d_]", MARKED.sub("", text))
        )

    look()
    send(page, picture_file())
    page.wait_for_selector(".answer-parts")
    look()
    for view in ("results", "lesions", "model", "box", "tokens", "audit"):
        page.goto(f"{box.url}/#/{view}")
        page.wait_for_selector(".view h1")
        look()
    contract = box.ask("/model")[1]
    data = json.dumps([contract, box.ask("/results")[1]], ensure_ascii=False)
    assert {
        text
        for text in strays
        if text not in data and not all(part in data for part in re.findall(r"[\w.-]+", text))
    } == set()


WIDE = """
    [...document.querySelectorAll("body *")]
        .filter((element) => element.childElementCount === 0)
        .map((element) => [Math.round(element.getBoundingClientRect().right), element])
        .filter(([right]) => right > innerWidth)
        .sort(([left], [right]) => right - left)
        .map(([right, element]) => [right, element.outerHTML.slice(0, 120)])
        .slice(0, 8)
"""
"""Where what is too wide ends, and what it is, the widest first."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_nothing_shuts_anybody_out(visit, box, size, scheme):
    from axe_playwright_python.sync_playwright import Axe

    page = visit(
        box.url,
        size=size,
        color_scheme=scheme,
        reduced_motion="reduce",
        prepare=answer_with("malignant"),
    )
    axe, faults = Axe(), {}

    def look(name):
        settle(page)
        report = axe.run(page)
        if report.violations_count:
            faults[name] = [
                (fault["id"], fault["nodes"]) for fault in report.response["violations"]
            ]
        # Nothing runs out of the screen sideways, nor out of the narrowest phone's.
        for width in (320, size[0]):
            page.set_viewport_size({"width": width, "height": size[1]})
            # The new width reaches the page some time after it was set.
            for _ in range(50):
                if page.evaluate("document.documentElement.scrollWidth <= innerWidth"):
                    break
                page.wait_for_timeout(100)
            else:
                wide = page.evaluate(WIDE)
                pytest.fail(f"{name}: wider than {width} px: {wide}")

    look("first visit")
    page.get_by_role("button", name=TAKE).click()
    word_of_answer(page)
    for summary in page.locator("summary").all():
        summary.click()
    look("malignant")
    for word in ("benign", "uncertain", "retake"):
        page.unroute_all()
        answer_with(word)(page)
        page.locator(".answer-parts").evaluate("place => place.remove()")
        page.get_by_role("button", name=TAKE).click()
        word_of_answer(page)
        look(word)
    send(page, {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": b"no"})
    page.get_by_role("alert").wait_for()
    look("problem")
    for view in ("results", "lesions", "model", "box", "tokens", "audit", "nowhere"):
        page.goto(f"{box.url}/#/{view}")
        page.wait_for_selector(".view h1")
        for summary in page.locator("summary").all():
            summary.click()
        look(view)
    page.goto(f"{box.url}/#/results")
    page.locator("a.result").first.click()
    page.wait_for_selector(".answer-word")
    look("result")
    page.get_by_role("button", name="Erase").click()
    look("question")
    assert faults == {}


def test_the_login_shuts_nobody_out(visit, guarded):
    from axe_playwright_python.sync_playwright import Axe

    page = visit(guarded[0], size=PHONE)
    log_in(page, "edgederm-not-a-token-of-this-box")
    page.get_by_role("alert").wait_for()
    assert Axe().run(page).violations_count == 0
