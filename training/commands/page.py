"""One page out of several reports, each figure as its command printed it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from training.commands.compare import COMPARISON_NAME
from training.commands.evaluate import own_name, shown
from training.commands.protocols import PROTOCOLS_NAME
from training.errors import RunError
from training.evaluate.report import REPORT_NAME, WORST_PLOT
from training.runs import METRICS_NAME

_DATA = (METRICS_NAME, COMPARISON_NAME, PROTOCOLS_NAME)
_MARK = "Put together by"
_PICTURE = re.compile(r"!\[([^]]*)\]\(([^)/]+)\)")
_HEADING = re.compile(r"^#", flags=re.MULTILINE)
_OPENING = """# Evaluation

Every figure on this page is printed by the command that stands above it; none is typed. {mark}

```sh
{command}
```

Malignant means MEL, BCC and AKIEC; the last is a precursor. The pictures of record are those of
HAM10000 at 200×150, parted by lesion (see [data.md](data.md)). No epoch, seed or threshold was
chosen on the test part. But it has been read for each model that was a candidate; which teachers to
give up was decided with its figures in view too, so what it shows of the model that ships may be
optimistic; and one model, 0.4.0, was withheld for what it showed there (see
[training.md](training.md)). Intervals are 95 %, from 2,000 bootstrap draws of whole lesions with a
fixed seed: the same command gives the same figures. Differences of less than two hundredths between
two models on this test part are within chance, unless a paired comparison says otherwise.

An ECE is a sum of distances. Each draw adds noise to them that never cancels, so the drawn ECEs
lie higher than the ECE of the pictures themselves, and their plain interval would be shifted
upwards. The draws are moved back by that excess first. The ECE itself has such an excess too, of
the pictures that happen to be in the part, and it is not taken away: the true one is rather
smaller.

`DATA` and `RUNS` stand for the folders of the data sets and of the runs. A report of another
protocol than ours says so in its heading:

- `grouped`, ours: all pictures of a lesion are in one part.
- `random`: pictures are parted one by one, 80 to 20; other pictures of test lesions are trained on.
- `paper`: pictures are copied and varied first, the rarer label more often, and the copies parted
  one by one; copies of nearly all test pictures are trained on. Near-perfect accuracies on these
  sets have such a leak until shown otherwise.
- `siblings-in`, `siblings-out`: the same test pictures, judged by two trainings that differ in one
  thing. Half of the pictures of each test lesion that has several are not judged; they are trained
  on in the one, in the place of as many others of the same diagnoses, and in the other not. The
  paired difference is what the leak is worth, and the chance of two trainings: the pictures without
  a sibling, where nothing leaks, show how much that is.

Some networks were trained before their recipe stood as it does today: [training.md](training.md)
says which.
"""


def write_page(reports: Sequence[Path], out: Path) -> None:
    """
    Put reports one below the other, and their plots and figures beside the page.

    Both go to a folder of the page's name, each with its report's name before its own.  The
    sheet of worst errors, which shows pictures of the data set, is on no report's page and stays
    where it is.

    Args:
        reports: Folders, in the order of the page.
        out: Page to write, ``.md``; an older one is replaced, with all its plots.

    Raises:
        RunError: A folder holds no report, two have one name, a report shows the sheet of worst
            errors, or *out* is some other page.
    """
    absent = [
        str(folder)
        for folder in reports
        if not (folder / REPORT_NAME).is_file()
        or not any((folder / name).is_file() for name in _DATA)
    ]
    if absent:
        raise RunError(f"page: found no {REPORT_NAME} in {', '.join(absent)}; make it with `--out`")
    names = ["-".join(own_name(folder)) for folder in reports]
    if len(set(names)) < len(names):
        raise RunError("page: expected folders of different names, which the plots are named by")
    if out.is_file() and _MARK not in out.read_text():
        raise RunError(f"{out} is no page of reports and would be replaced; name another one")
    plots = out.with_suffix("")
    shutil.rmtree(plots, ignore_errors=True)
    words = ["python -m training page", *(shown(folder, "RUNS") for folder in reports)]
    command = " ".join([*words, f"--out {shown(out, 'DOCS')}"])
    sections = [_OPENING.format(mark=f"{_MARK}", command=command)]
    for folder, label in zip(reports, names, strict=True):
        text = (folder / REPORT_NAME).read_text()
        plots.mkdir(parents=True, exist_ok=True)
        for _, name in _PICTURE.findall(text):
            if name == WORST_PLOT:
                raise RunError(f"{folder}: its page shows pictures of the data set; evaluate again")
            shutil.copyfile(folder / name, plots / f"{label}-{name}")
        data = next(name for name in _DATA if (folder / name).is_file())
        shutil.copyfile(folder / data, plots / f"{label}.json")
        placed = _PICTURE.sub(rf"![\1]({plots.name}/{label}-\2)", text)
        sections.append(
            f"{_HEADING.sub('##', placed)}\nThe same as data: "
            f"[{label}.json]({plots.name}/{label}.json).\n"
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("\n".join(sections))
