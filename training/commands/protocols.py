"""What an evaluation says under several protocols, in one table: what a leak makes of a figure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown

from device.core.manifest import Metric
from training.commands.compare import Judged, read_report
from training.commands.evaluate import shown
from training.data.protocols import GROUPED, PROTOCOLS, WARNINGS
from training.errors import RunError
from training.evaluate.report import REPORT_NAME
from training.evaluate.tables import cell, table, words_of
from training.runs import METRICS_NAME

PROTOCOLS_NAME = "protocols.json"
FIGURES = ("auroc", "accuracy_at_half", "balanced_accuracy_at_half", "diagnosis_accuracy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One report."""

    dataset: str
    protocol: str
    model: str
    command: str
    pictures: int
    with_sibling_share: float
    """Of the judged pictures, those of a lesion of which another picture, or a copy of the same,
    was trained on."""
    metrics: dict[str, Metric]


def tabulate(reports: Sequence[Path], *, out: Path | None = None) -> list[Line]:
    """
    Read reports, and put them in the order of their sets and protocols.

    Args:
        reports: Folders that ``evaluate`` wrote.
        out: Folder for table and figures; None writes none.

    Raises:
        RunError: A folder holds no report, an older one, or one that no command made; or they are
            of several parts.
    """
    read = [read_report(folder) for folder in reports]
    parts = {judged.part for judged in read}
    if len(parts) > 1:
        raise RunError(f"protocols: expected reports of one part, found {', '.join(sorted(parts))}")
    lines = sorted(
        (_line(judged) for judged in read),
        key=lambda line: (line.dataset, PROTOCOLS.index(line.protocol)),
    )
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        kept = [
            asdict(line)
            | {"metrics": {name: metric.model_dump() for name, metric in line.metrics.items()}}
            for line in lines
        ]
        (out / PROTOCOLS_NAME).write_text(json.dumps(kept, indent=2) + "\n")
        (out / REPORT_NAME).write_text(page(lines, reports, out))
    return lines


def print_lines(lines: Sequence[Line], reports: Sequence[Path], console: Console) -> None:
    """Show the table."""
    console.print(Markdown(page(lines, reports, None)))


def page(lines: Sequence[Line], reports: Sequence[Path], out: Path | None) -> str:
    """Return the table as Markdown, with what must be said of it."""
    headings = (
        "set",
        "protocol",
        "trained as",
        "pictures",
        "with a sibling in training",
        *map(words_of, FIGURES),
    )
    rows = [
        (
            line.dataset,
            line.protocol if line.protocol == GROUPED else f"**{line.protocol}**",
            line.model.removesuffix(","),
            f"{line.pictures:,}",
            f"{line.with_sibling_share:.0%}",
            *(cell(line.metrics.get(name)) for name in FIGURES),
        )
        for line in lines
    ]
    warned = "\n".join(
        f"- **{name}**: {WARNINGS[name]}."
        for name in PROTOCOLS
        if name in WARNINGS and any(line.protocol == name for line in lines)
    )
    made = "\n".join(dict.fromkeys(line.command for line in lines))
    words = ["python -m training protocols", *(shown(folder, "RUNS") for folder in reports)]
    words += [] if out is None else [f"--out {shown(out, 'RUNS')}"]
    return f"""# What a protocol is worth

Made by

```sh
{made}
{" ".join(words)}
```

Networks of one shape, each trained and judged anew under a protocol.  A sibling: another picture \
of the same lesion, or a copy of the same picture.  Values per picture, with 95 % intervals from \
2,000 bootstrap draws of whole lesions.

{table(headings, rows)}

{warned}
"""


def _line(judged: Judged) -> Line:
    path = judged.folder / METRICS_NAME
    document = json.loads(path.read_text())
    absent = [name for name in ("dataset", "command") if not document.get(name)]
    if absent:
        raise RunError(f"{path}: expected {' and '.join(absent)}, found none; evaluate again")
    return Line(
        dataset=document["dataset"],
        protocol=judged.protocol,
        model=judged.model,
        command=document["command"],
        pictures=len(judged.image_ids),
        with_sibling_share=float(judged.has_sibling_N.mean()),
        metrics={
            name: Metric(**document["metrics"][name])
            for name in FIGURES
            if name in document["metrics"]
        },
    )
