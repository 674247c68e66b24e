"""
Draw docs/page/*.png anew: ``PYTHONPATH=. .venv-dev/bin/python tests/appliance/page_pictures.py``.

A box with the replay camera and its drawn pictures, seen through Chromium.
"""

import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from tests.appliance.test_page import (
    CHROMIUM,
    DESKTOP,
    HEATMAP,
    PHONE,
    SANDBOX,
    TAKE,
    annotate,
    settle,
)
from tests.appliance.test_serve import Box

FOLDER = Path(__file__).resolve().parents[2] / "docs/page"
TOKENS = {"head of practice": "admin", "front desk": "operate", "prometheus": "read"}
SAMPLES = Path(__file__).resolve().parents[2] / "device/samples"


def save(page: Page, name: str, *, height_px: int | None = None) -> None:
    """Keep what can be seen, or as much as has room in *height_px*."""
    if height_px is not None:
        page.set_viewport_size({"width": page.viewport_size["width"], "height": height_px})
    page.mouse.move(0, 0)
    settle(page)
    # All its colors: fewer of them turn the small signs of the answers gray.
    Image.open(io.BytesIO(page.screenshot())).convert("RGB").save(
        FOLDER / f"{name}.png", optimize=True
    )


def take_until(page: Page, word: str) -> None:
    """Take pictures until one gets that answer; the camera shows six in turn."""
    for _ in range(12):
        page.get_by_role("button", name=TAKE).click()
        page.wait_for_selector(".answer-parts figure")
        if page.locator(".answer-word").inner_text() == word:
            return
        page.locator(".answer-parts").evaluate("place => place.remove()")
    sys.exit(f"none of the samples was answered with {word}")


def walk(browser: Browser, box: Box) -> None:
    """Take the pictures, one page after the other."""

    @contextmanager
    def visit(size: tuple[int, int], view: str = "", **settings: object) -> Iterator[Page]:
        page = browser.new_page(viewport={"width": size[0], "height": size[1]}, **settings)
        page.goto(f"{box.url}/#/{view}")
        page.wait_for_selector("main h1", state="attached")
        yield page
        page.close()

    with visit(PHONE) as page:
        save(page, "phone-examine")
        take_until(page, "Uncertain")
        save(page, "phone-answer")
    with visit(PHONE, color_scheme="dark") as page:
        take_until(page, "Retake")
        save(page, "phone-retake-dark")
    with visit(DESKTOP) as page:
        take_until(page, "Benign")
        page.get_by_role("button", name=HEATMAP).click()
        page.evaluate("window.scrollTo(0, 0)")
        save(page, "desktop-answer", height_px=1540)
    for sample in ("1-nevus.jpg", "3-nevus-hair.jpg", "2-melanoma.jpg"):
        content = (SAMPLES / sample).read_bytes()
        answer = box.ask("/classify", body=content, headers={"Content-Type": "image/jpeg"})[1]
        with visit(DESKTOP, f"results/{answer['id']}") as page:
            annotate(page, Patient="P-113", Lesion="left forearm 1")
    with visit(DESKTOP, "results") as page:
        save(page, "desktop-history")
    with visit(PHONE, "results") as page:
        save(page, "phone-history")
    with visit(DESKTOP, "lesions") as page:
        page.get_by_role("link", name="left forearm 1").click()
        page.wait_for_selector(".strip img")
        save(page, "desktop-lesion")
    with visit(DESKTOP, "model", color_scheme="dark") as page:
        save(page, "desktop-model-dark", height_px=1040)
    with visit(DESKTOP, "box") as page:
        save(page, "desktop-box", height_px=1560)
    with visit(PHONE, "tokens") as page:
        page.wait_for_selector(".entries li")
        save(page, "phone-tokens")
        page.get_by_role("button", name="Revoke the token of prometheus").click()
        page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
        page.wait_for_selector(".done")
    with visit(PHONE, "audit") as page:
        page.wait_for_selector(".entries li")
        save(page, "phone-audit")


def main() -> None:
    """Start a box, walk through its page, and stop it."""
    FOLDER.mkdir(exist_ok=True)
    state = tempfile.TemporaryDirectory()
    environment = {
        "EDGEDERM_HISTORY__KEEP_PICTURES": "true",
        "EDGEDERM_HISTORY__PATH": state.name,
        "EDGEDERM_SERVER__STATE_PATH": state.name,
    }
    for name, role in TOKENS.items():
        subprocess.run(
            [sys.executable, "-m", "device", "token", "add", name, "--role", role],
            env={**os.environ, **environment},
            capture_output=True,
            check=True,
        )
    box = Box(environment=environment)
    try:
        with sync_playwright() as playwright:
            walk(playwright.chromium.launch(executable_path=CHROMIUM, args=SANDBOX), box)
    finally:
        box.stop()
        state.cleanup()


if __name__ == "__main__":
    main()
