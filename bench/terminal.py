"""What the person at the terminal sees: how far it is, and the tables; with rich if it is there."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from bench.report import headlines, markdown, tables
from bench.results import BenchResult

Begin = Callable[[str], Callable[[], None]]
"""Told what begins; returns what is told that it goes on."""


@contextmanager
def progress(sections: int) -> Iterator[Begin]:
    """Show a bar over so many sections on standard error."""
    if find_spec("rich") is None or not sys.stderr.isatty():
        yield _lines(sections)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description:<12}"),
        BarColumn(),
        TextColumn("{task.completed:.0f} of {task.total:.0f}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("", total=sections, completed=-1)

        def begin(name: str) -> Callable[[], None]:
            shown.update(task, description=name, advance=1)
            return shown.refresh

        yield begin


def _lines(sections: int) -> Begin:
    """Say a line for each section, where a bar would only fill a log."""
    number = 0

    def begin(name: str) -> Callable[[], None]:
        nonlocal number
        number += 1
        print(f"[{number}/{sections}] {name}", file=sys.stderr, flush=True)
        return lambda: None

    return begin


def show(result: BenchResult) -> None:
    """Print the tables; as Markdown without rich, which can be read as well."""
    if find_spec("rich") is None:
        print(markdown(result))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    for line in headlines(result):
        color = "red" if line.startswith("Warning") else "default"
        console.print(escape(line), style=color, highlight=False)
    for table in tables(result):
        shown = Table(title=escape(table.title), title_justify="left", caption=table.note or None)
        for column in table.columns:
            shown.add_column(escape(column), overflow="fold")
        for row in table.rows:
            shown.add_row(*(escape(cell.replace("**", "")) for cell in row))
        console.print(shown)
