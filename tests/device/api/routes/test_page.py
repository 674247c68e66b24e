"""``/``: what is served as the page, and what stands in its files."""

import json
import re
from html.parser import HTMLParser

import pytest

from device.api import problems
from device.api.routes.page import FOLDER, TEXTS, read_page
from device.core.manifest import DIAGNOSES
from device.core.panel import LightState
from device.core.values import Reason, Result
from device.decision import policy
from device.panel.lines import Color
from device.panel.patterns import PATTERNS
from device.quality import gate
from tests.device.api.conftest import MAX_UPLOAD_BYTES

pytestmark = pytest.mark.portable

FILES = sorted(path for path in FOLDER.rglob("*") if path.is_file())
SCRIPTS = [path for path in FILES if path.suffix == ".js"]
SHELL = (FOLDER / "index.html").read_text(encoding="utf-8")
WORDS = json.loads((FOLDER / TEXTS).read_text(encoding="utf-8"))
MIB = 2**20
NAMESPACE = "http://www.w3.org/2000/svg"
"""A name, and no address that anybody asks."""


def name_of(path):
    return path.relative_to(FOLDER).as_posix()


def code_of(path):
    """A script without its comments."""
    text = path.read_text(encoding="utf-8")
    return re.sub(r"/\*.*?\*/|(?<!:)//[^\n]*", "", text, flags=re.DOTALL)


@pytest.fixture
def stranger(box):
    """A client of a box in the network, without a token."""
    with box.client(is_loopback=False, base_url="http://192.168.1.7:8000") as opened:
        yield opened


def test_the_shell_is_for_everybody_and_asked_for_each_time(stranger):
    answer = stranger.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert "{{" not in answer.text
    assert f'data-max-upload-bytes="{MAX_UPLOAD_BYTES}"' in answer.text
    assert WORDS["shell.notice"] in answer.text
    known = stranger.get("/", headers={"If-None-Match": f'"other", W/{answer.headers["etag"]}'})
    assert (known.status_code, known.content) == (304, b"")
    # A browser puts them in the place of those that it kept.
    for name in ("etag", "cache-control", "content-security-policy", "content-type"):
        assert known.headers[name] == answer.headers[name]
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert stranger.get("/", headers={"If-None-Match": '"other"'}).status_code == 200
    head = stranger.head("/")
    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("page.css", "text/css; charset=utf-8"),
        ("start.js", "text/javascript; charset=utf-8"),
        ("views/box.js", "text/javascript; charset=utf-8"),
        ("texts.json", "application/json"),
        ("icon.svg", "image/svg+xml"),
    ],
)
def test_what_the_page_is_made_of_is_kept_for_good(stranger, name, media_type):
    address = f"{folder_in(stranger.get('/').text)}/{name}"
    answer = stranger.get(address)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == media_type
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.content == (FOLDER / name).read_bytes()
    tag = answer.headers["etag"]
    assert stranger.get(address, headers={"If-None-Match": tag}).status_code == 304


@pytest.mark.parametrize("name", ["index.html", "../routes/page.py", "%2e%2e/application.py", ""])
def test_nothing_else_is_handed_out(stranger, check_problem, name):
    address = f"{folder_in(stranger.get('/').text)}/{name}"
    check_problem(stranger.get(address), 404, "not-found")


def test_a_file_of_another_version_is_not_there(client, check_problem):
    check_problem(client.get("/assets/0000000000000000/page.css"), 404, "not-found", "reload")


def test_every_answer_but_the_page_stays_out_of_the_cache(client):
    assert client.get("/model").headers["cache-control"] == "no-store"


def test_another_content_has_another_address(tmp_path):
    """So a browser that keeps files for good never mixes two versions."""
    before = read_page(max_upload_bytes=MIB).digest
    assert read_page(max_upload_bytes=MIB).digest == before
    assert read_page(max_upload_bytes=2 * MIB).digest != before
    for path in FILES:
        copy = tmp_path / name_of(path)
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(path.read_bytes())
    assert read_page(tmp_path, max_upload_bytes=MIB).digest == before
    with (tmp_path / "page.css").open("a") as file:
        file.write("\n")
    assert read_page(tmp_path, max_upload_bytes=MIB).digest != before


def test_every_file_is_used_and_every_file_used_is_there():
    used, waiting = {"index.html"}, {"index.html"}
    while waiting:
        path = FOLDER / waiting.pop()
        text = path.read_text(encoding="utf-8")
        found = re.findall(r"{{folder}}/([\w./-]+)", text)
        found += [
            (path.parent / name).resolve().relative_to(FOLDER.resolve()).as_posix()
            for name in re.findall(r'(?:from|URL\() ?"(\.[\w./-]+)"', text)
        ]
        waiting |= set(found) - used
        used |= set(found)
    assert used == {name_of(path) for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_file_names_an_address_outside_the_box(path):
    text = path.read_text(encoding="utf-8").replace(NAMESPACE, "")
    assert not re.findall(r"https?:|\bwss?:|[\"'(=]\s*//|@import|url\(", text)


@pytest.mark.parametrize("path", SCRIPTS, ids=name_of)
def test_no_script_makes_code_or_markup_of_text(path):
    """References to patients are typed by anybody; they only ever become text nodes."""
    forbidden = (
        r"innerHTML|outerHTML|insertAdjacentHTML|createContextualFragment|document\.write|srcdoc"
        r"|DOMParser|\beval\b|\bFunction\(|javascript:|setTimeout\(\s*[\"'`]|import\("
    )
    assert not re.findall(forbidden, code_of(path))


@pytest.mark.parametrize("path", SCRIPTS, ids=name_of)
def test_no_script_keeps_anything_in_the_browser(path):
    forbidden = r"localStorage|sessionStorage|indexedDB|document\.cookie|caches\.|serviceWorker"
    assert not re.findall(forbidden, code_of(path))


class Shell(HTMLParser):
    """Collects what the rules on the shell are about."""

    def __init__(self):
        super().__init__()
        self.texts, self.attributes, self.scripts = [], [], []
        self.feed(SHELL)

    def handle_starttag(self, tag, attrs):
        self.attributes += attrs
        if tag in {"script", "style"}:
            self.scripts.append((tag, dict(attrs)))

    def handle_data(self, data):
        if data.strip():
            self.texts.append(data.strip())


def test_the_shell_has_no_script_or_style_of_its_own():
    shell = Shell()
    assert [tag for tag, _ in shell.scripts] == ["script"]
    assert shell.scripts[0][1]["src"] == "{{folder}}/start.js"
    assert not [name for name, _ in shell.attributes if name == "style" or name.startswith("on")]
    for path in SCRIPTS:
        # The policy refuses a style attribute; single properties may be set.
        assert not re.findall(r"setAttribute\(\"style|cssText", code_of(path)), path


def test_every_text_of_the_shell_is_a_key_of_the_catalogue():
    shell = Shell()
    assert shell.texts
    assert [text for text in shell.texts if not re.fullmatch(r"{{[\w.]+}}", text)] == []
    labels = [value for name, value in shell.attributes if name in {"aria-label", "title", "alt"}]
    assert [label for label in labels if not re.fullmatch(r"{{[\w.]+}}", label)] == []


def test_no_script_holds_a_sentence():
    """Two words with a capital or a full stop are meant for people; in a browser all are seen."""
    strays = [
        f"{name_of(path)}: {literal}"
        for path in SCRIPTS
        for literal in re.findall(r'"([^"\n]*)"|`([^`]*)`', code_of(path))
        for literal in literal
        if re.search(r"\b[A-Z][a-z]+ [a-z]+|[a-z]+ [a-z]+\.$", literal)
    ]
    assert strays == []


def keys_in_use():
    """Keys that the sources name, as patterns: a part in braces stands for any word."""
    for path in SCRIPTS:
        code = code_of(path)
        yield from re.findall(r'"([a-z_]+(?:\.[\w-]+)+)"', code)
        yield from (
            re.sub(r"\$\{[^}]*\}", "*", found)
            for found in re.findall(r"`([a-z]+\.[^`\s/]*\$\{[^`\s/]*)`", code)
        )
    yield from re.findall(r"{{([\w.]+)}}", SHELL)


def test_every_key_is_in_the_catalogue_and_every_text_is_used():
    used = {key for key in keys_in_use() if not re.search(r"\.(js|json|jpg|png|pdf)$", key)}
    plain = {key for key in used if "*" not in key} - {"folder", "max_upload_bytes"}
    patterns = [
        re.compile("".join(r"[\w-]+" if part == "*" else re.escape(part) for part in key))
        for key in (re.split(r"(\*)", key) for key in used if "*" in key)
    ]
    counted = {key for key in plain if f"{key}.other" in WORDS}
    assert sorted(plain - counted - WORDS.keys()) == []
    unused = [
        key
        for key in WORDS
        if key not in plain
        and key.rpartition(".")[0] not in counted
        and not any(pattern.fullmatch(key) for pattern in patterns)
        and key != "language"
    ]
    assert unused == []


def test_a_text_says_something_and_has_no_markup():
    assert [key for key, text in WORDS.items() if not text or text != text.strip()] == []
    assert [key for key, text in WORDS.items() if re.search(r"[<>&]", text)] == []


def test_a_plural_has_all_its_forms():
    counted = {key.rpartition(".")[0] for key in WORDS if key.endswith((".one", ".other"))}
    assert [key for key in counted if not {f"{key}.one", f"{key}.other"} <= WORDS.keys()] == []


def test_every_problem_says_in_plain_words_what_to_do():
    keys = [f"problem.{slug}.{part}" for slug in problems.KINDS for part in ("title", "remedy")]
    assert [key for key in keys if key not in WORDS] == []


def test_every_answer_says_what_it_does_not_mean():
    parts = ("word", "lead", "advice", "not")
    keys = [f"result.{result.value}.{part}" for result in Result for part in parts]
    assert [key for key in keys if key not in WORDS] == []


def test_every_reason_has_words():
    codes = [
        value.code
        for room in (gate, policy)
        for value in vars(room).values()
        if isinstance(value, Reason)
    ]
    assert len(codes) > 6
    assert [code for code in codes if f"reason.{code}" not in WORDS] == []


def test_every_diagnosis_has_a_name():
    assert [code for code in DIAGNOSES if f"diagnosis.{code}" not in WORDS] == []


def test_the_light_is_described_as_it_is():
    """One table for the light: the page repeats its words, and the strips its times."""
    said = {state: WORDS[f"light.{state.value}.pattern"] for state in LightState}
    assert said == {state: PATTERNS[state].words for state in LightState}
    assert [state for state in LightState if f"light.{state.value}.meaning" not in WORDS] == []


@pytest.mark.parametrize("state", list(LightState))
def test_the_strips_show_the_light_as_it_is(state):
    styles = (FOLDER / "page.css").read_text(encoding="utf-8")
    strip = re.search(rf"\.rhythm\.is-{state.value} {{([^}}]*)}}", styles)[1]
    drawn = [
        (color == "transparent", round(1000 * float(end)))
        for color, end in re.findall(r"(\S+) 0 calc\(([\d.]+) \* var\(--s\)\)", strip)
    ]
    lit, until_ms = [], 0
    for step in PATTERNS[state].steps:
        until_ms += step.ms
        if lit and lit[-1][0] == (step.color is Color.OFF):
            lit.pop()
        lit.append((step.color is Color.OFF, until_ms))
    assert drawn == lit


def folder_in(shell):
    return re.search(r'href="(/assets/[0-9a-f]+)/', shell)[1]
