"""
What a board gives: ``python bench/run.py --board pi4``.

Measures the daemon's own code paths and prints a table; a JSON file with every sample, the same
table as Markdown and a plot lie in ``bench/results`` afterwards.  ``--peers`` adds other networks
and other ways from a picture to a decision, ``--sustained`` five minutes without a pause;
``--bars`` measures what the project's bars need, and no more.  docs/performance.md says how.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

if __name__ == "__main__":
    # Started as a file, its own folder comes first, and there is no `bench` in it.
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    # Before NumPy is loaded: its matrix products are measured on one thread.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from bench import measure as m
from bench.bars import bars
from bench.board import NAMES, identify
from bench.conditions import Meter
from bench.plot import plot
from bench.report import markdown
from bench.results import BenchError, BenchResult, write_result
from bench.terminal import progress, show
from device.core.errors import EdgeDermError
from device.settings import SHIPPED_MODEL, load_settings, state_directory

ROOT = Path(__file__).resolve().parents[1]


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Measure, print and write.

    Returns:
        Exit status: 0 done; 1 a part failed, or a picture was answered wrong; 2 wrong usage.  With
        ``--bars`` 1 as well if one is missed or could not be looked at.
    """
    options = _parser().parse_args(arguments)
    try:
        plan = _plan(options, sys.argv if arguments is None else ["bench/run.py", *arguments])
        with progress(len(plan.sections)) as begin:
            result = m.measure(plan, begin)
    except (BenchError, EdgeDermError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    show(result)
    # Only what holds everything takes the place of the result that docs/performance.md shows.
    name = "".join(
        f"{word}-"
        for word, applies in (
            ("quick", result.is_quick),
            ("bars", options.bars),
            ("part", options.only is not None or bool(result.failed)),
        )
        if applies
    )
    stem = options.out / f"{name}{result.board.found}"
    write_result(result, stem.with_suffix(".json"))
    _write_for_people(result, stem)
    failed = [
        *(f"failed: {text}" for text in result.failed),
        *(
            f"answered wrong: {stream.what}"
            for stream in result.streams.values()
            if not stream.accuracy.holds
        ),
    ]
    if options.bars:
        failed += [f"missed: {bar.name}" for bar in bars(result) if not bar.is_met]
        failed += [
            f"{name} were not measured" for name in plan.sections if name not in result.sections
        ]
    if failed:
        print(f"bench: {'; '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _plan(options: argparse.Namespace, command: Sequence[str]) -> m.Plan:
    with_peers = options.peers or options.bars
    sections: tuple[str, ...] = m.FOR_BARS if options.bars else m.ALWAYS
    sections += ("ways",) if options.peers and not options.bars else ()
    sections += ("sustained",) if options.sustained else ()
    sections = tuple(options.only) if options.only else sections
    sections += ("idle",) if options.energy else ()
    return m.Plan(
        board=identify(options.board, force=options.force),
        sections=sections,
        model_path=options.model or SHIPPED_MODEL,
        settings=load_settings(options.settings),
        with_peers=with_peers,
        counts=m.QUICK if options.quick else m.Counts(daemons=5 if with_peers else 1),
        history=options.history,
        meter=Meter(options.energy) if options.energy else None,
        note=options.note,
        command=("python", *command),
    )


def _write_for_people(result: BenchResult, stem: Path) -> None:
    stem.with_suffix(".md").write_text(markdown(result), encoding="utf-8")
    written = [".json", ".md"]
    if find_spec("matplotlib") is None:
        print("bench: no plot: no matplotlib; make bench brings it", file=sys.stderr)
    elif plot(result, stem.with_suffix(".png")):
        written.append(".png")
    print(f"bench: written: {', '.join(str(stem) + suffix for suffix in written)}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    sections = tuple(m.SECTIONS)
    parser = argparse.ArgumentParser(
        prog="python bench/run.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--board", choices=NAMES, default="auto", help="which board this is")
    add("--force", action="store_true", help="measure under another board's name, and note so")
    add("--peers", action="store_true", help="with other networks and other ways, in turns")
    add("--sustained", action="store_true", help="with five minutes without a pause")
    add("--bars", action="store_true", help="only what the bars need; exit status 1 if one fails")
    add("--quick", action="store_true", help="few repetitions, to try the bench")
    add("--only", nargs="+", choices=sections, metavar="PART", help=", ".join(sections))
    add("--model", type=Path, metavar="FILE", help="another student than the one that ships")
    add("--settings", type=Path, metavar="FILE", help="of the box, for the camera of a press")
    add("--history", type=Path, metavar="DIR", help="on the storage to be measured; else /tmp")
    add("--energy", type=Path, metavar="FILE", help="power1_input of a meter, or time,watts lines")
    add("--note", default="", help="cooling, supply: kept with the result")
    add(
        "--out", type=Path, metavar="DIR", default=_out(), help="where the result goes: %(default)s"
    )
    return parser


def _out() -> Path:
    """Where results go: into the sources, or where a box keeps what it knows."""
    if (ROOT / "pyproject.toml").exists():
        return ROOT / "bench" / "results"
    return state_directory() / "bench"


if __name__ == "__main__":
    sys.exit(main())
