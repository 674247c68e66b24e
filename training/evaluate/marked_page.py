"""Pages whose figures a command writes between two marks; the words around them stay."""

from __future__ import annotations

from pathlib import Path

from training.errors import RunError

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


def require_marks(page: Path) -> str:
    """Return the text of *page*; raises RunError where it lacks the two marks."""
    text = page.read_text() if page.is_file() else ""
    if not {BEGIN, END} <= set(text.split("\n")):
        raise RunError(f"{page}: expected a page with the lines {BEGIN} and {END}")
    return text


def write_tables(tables: str, page: Path) -> None:
    """Put the tables between the two marks of *page*."""
    before, _, rest = require_marks(page).partition(BEGIN)
    page.write_text(f"{before}{BEGIN}\n\n{tables}\n\n{END}{rest.partition(END)[2]}")
