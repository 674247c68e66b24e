"""
A result as tables, for the terminal and for Markdown.

``python -m bench.report RESULT.json PAGE.md`` writes them into a page, between its two marks.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.bars import LEAST_RUNS, bars
from bench.limits import COPY, PRODUCT
from bench.results import BUCKET_S, BenchError, BenchResult, Bucket, Contestant, Timing, read_result
from device.core.document import NOTICE

BEGIN = "<!-- bench: made by bench/report.py, do not edit -->"
END = "<!-- bench: end -->"
_MMAC = 1e6
_SHOWN_BY_STAGE = ("frame", "six_stages")
"""Streams of the result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under a title."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def tables(result: BenchResult) -> list[Table]:
    """Return all tables for which *result* has figures."""
    found = [
        *_bars(result),
        *_networks(result),
        *_ways(result),
        *_streams(result),
        *_stages(result),
        *_box(result),
        *_threads(result),
        *_forms(result),
        *_sustained(result),
        *_energy(result),
    ]
    return [table for table in found if table.rows]


def headlines(result: BenchResult) -> list[str]:
    """Say on what was measured, and what spoils it, one sentence each."""
    board, model, place = result.board, result.model, result.environment
    asked = "" if board.is_as_asked else f" (measured under the name {board.asked}, by force)"
    versions = ", ".join(f"{name} {version}" for name, version in place.versions.items())
    on = (
        f"Board `{board.found}`{asked}: {board.model or place.processor}, {place.cores} cores, "
        f"{place.memory_mb / 1000:.1f} GB; {place.system}, kernel {place.kernel}, Python "
        f"{place.python}; {versions}."
    )
    of = (
        f"Model {model.name} {model.version}, SHA-256 `{model.sha256[:12]}`: {model.file_bytes:,} "
        f"bytes, {model.parameters:,} parameters, {model.macs / _MMAC:.1f} million multiply-adds, "
        f"{model.side_px} px. One thread where nothing else is said."
    )
    by = (
        f"{result.started_at:%Y-%m-%d}, commit `{place.commit}`, {result.seconds:.0f} s: "
        f"`{result.command}`"
    )
    lines = [on, of, by]
    if place.note:
        lines.append(f"Note: {place.note}")
    if result.is_quick:
        lines.append("Quick run: few repetitions, to try the bench; no figure for anybody.")
    lines += [f"Warning: {warning}." for warning in result.condition.warnings]
    lines += [f"Left out: {reason}." for reason in result.left_out]
    lines += [f"Failed: {reason}." for reason in result.failed]
    return lines


def markdown(result: BenchResult) -> str:
    """Return *result* as a piece of a page."""
    parts = [f"{line}\n" for line in headlines(result)]
    for table in tables(result):
        parts.append(f"**{table.title}**\n")
        rows = [table.columns, ("---",) * len(table.columns), *table.rows]
        parts.append("\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n")
        if table.note:
            parts.append(f"{table.note}\n")
    parts.append(f"{NOTICE}\n")
    return "\n".join(parts)


def put_into(page: str, result: BenchResult, image: str | None = None) -> str:
    """
    Return *page* with the tables of *result* between its two marks.

    Args:
        page: Markdown.
        result: What was measured.
        image: Where its plot is, seen from the page; None without one.

    Raises:
        BenchError: The page has no such marks.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise BenchError(f"expected a page with the lines {BEGIN} and {END}, found none")
    shown = "" if image is None else f"![Networks, ways, stages]({image})\n\n"
    return f"{before}{BEGIN}\n\n{shown}{markdown(result)}\n{END}{after}"


def image_beside(result: Path, page: Path) -> str | None:
    """Return the way from *page* to the plot of a result's file; None where there is none."""
    plot = result.with_suffix(".png")
    if not plot.exists():
        return None
    return Path(os.path.relpath(plot, page.parent)).as_posix()


def _bars(result: BenchResult) -> Iterator[Table]:
    found = bars(result)
    yield Table(
        title="Bars: ratios within this run, the median counts",
        columns=("ratio", "median", "smallest to largest", "runs", "bar", "met"),
        rows=tuple(
            (
                bar.name,
                f"{bar.median:.2f}",
                f"{min(bar.ratios):.2f} to {max(bar.ratios):.2f}",
                str(len(bar.ratios)),
                bar.words,
                "yes" if bar.is_met else "**no**",
            )
            for bar in found
        ),
        note=""
        if all(len(bar.ratios) >= LEAST_RUNS for bar in found)
        else f"Fewer than {LEAST_RUNS} runs: no figure to go by.",
    )


def _networks(result: BenchResult) -> Iterator[Table]:
    if not result.networks:
        return
    student = result.networks[0]
    yield Table(
        title="Networks, inference alone, in turns",
        columns=("network", "how", "input", "parameters", "MMAC", "ms", "times the student"),
        rows=tuple(
            (
                each.name,
                each.what,
                f"{each.side_px} px",
                f"{each.parameters:,}",
                f"{each.macs / _MMAC:.0f}",
                _median(each.timing),
                _times(each, student),
            )
            for each in result.networks
            if each.macs is not None and each.parameters is not None
        ),
        note="Weights of the others are made up: the time depends on the shape alone."
        if any(each.macs is not None for each in result.networks[1:])
        else "",
    )
    limits = result.limits
    if limits is None:
        return
    rows = [
        (f"{PRODUCT}{name}", f"{rate:.1f} GMAC/s") for name, rate in limits.gmacs_per_second.items()
    ]
    rows += [
        (f"{COPY}, read and written", f"{limits.copy_gb_per_second:.1f} GB/s"),
        ("the student's multiply-adds at the best of these rates", f"{limits.compute_ms:.3f} ms"),
    ]
    if limits.memory_ms is not None and limits.student_bytes is not None:
        rows.append(
            (
                f"the student's {limits.student_bytes / 1e6:.1f} MB at the rate of the copy",
                f"{limits.memory_ms:.3f} ms",
            )
        )
    rows.append(("share of the machine's best that the student reaches", _share(result)))
    if limits.datasheet is not None:
        rows.append(("data sheet", limits.datasheet))
    yield Table(title="Distance from the limit, one thread", columns=("what", ""), rows=tuple(rows))


def _share(result: BenchResult) -> str:
    return "" if result.limits is None else f"{result.limits.share_of_peak:.0%}"


def _ways(result: BenchResult) -> Iterator[Table]:
    if not result.ways:
        return
    ours = result.ways[0]
    yield Table(
        title="From a picture to a decision, in turns",
        columns=("way", "what", "ms", "times ours"),
        rows=tuple(
            (each.name, each.what, _median(each.timing), _times(each, ours)) for each in result.ways
        ),
    )


def _streams(result: BenchResult) -> Iterator[Table]:
    rows = []
    for stream in result.streams.values():
        total = stream.stages["total"].summary
        exact = stream.accuracy
        written = stream.written_bytes_per_answer
        rows.append(
            (
                stream.what,
                str(total.count),
                f"{total.p50:.2f} ({total.low:.2f} to {total.high:.2f})",
                f"**{total.p90:.2f}**",
                f"{total.p95:.2f}",
                f"{total.p99:.2f}",
                f"{stream.cpu_ms_per_answer:.2f}",
                "" if written is None else f"{written:,}",
                "yes" if exact.holds else "**no**",
            )
        )
    yield Table(
        title="Single stream: the next picture comes when the last one is answered, ms",
        columns=(
            "picture",
            "answers",
            "p50 (95 % interval)",
            "p90",
            "p95",
            "p99",
            "processor ms an answer",
            "bytes to the storage an answer",
            "all answers right",
        ),
        rows=tuple(rows),
        note="Method of MLPerf's single stream, of which p90 counts; no submission. Right: as the "
        "same picture was answered before, and the golden case as the contract says.",
    )


def _stages(result: BenchResult) -> Iterator[Table]:
    for name, stream in result.streams.items():
        if name in _SHOWN_BY_STAGE:
            yield _stage_table(f"Stages of {stream.what}, ms", stream.stages)
    if result.press is not None:
        stages = {**result.press.stages, "from release to light": result.press.whole}
        yield _stage_table(
            f"A press of the button through the whole box, camera `{result.press.camera}`, ms",
            {("total of the stages" if n == "total" else n): t for n, t in stages.items()},
        )


def _stage_table(title: str, stages: Mapping[str, Timing]) -> Table:
    return Table(
        title=title,
        columns=("stage", "p50", "p90", "p95", "p99"),
        rows=tuple(
            (name, *(f"{v:.3f}" for v in (s.p50, s.p90, s.p95, s.p99)))
            for name, s in ((name, each.summary) for name, each in stages.items())
        ),
    )


def _box(result: BenchResult) -> Iterator[Table]:
    rows: list[tuple[str, str]] = []
    if result.start is not None:
        start = result.start
        rows += [
            ("a process that only imports the libraries", f"{_median(start.bare_imports)} ms"),
            ("daemon from nothing to ready", f"{_median(start.ready)} ms"),
            ("its first answer over HTTP", f"{_median(start.first_answer)} ms"),
        ]
    if result.memory is not None:
        memory = result.memory
        shared = memory.proportional_mb
        rows += [
            ("memory, ready", f"{memory.ready_mb:.0f} MB"),
            (
                f"memory after {memory.answers} answers",
                f"{statistics.median(memory.steady_mb):.0f} MB",
            ),
            ("memory, the most ever", f"{memory.peak_mb:.0f} MB"),
            ("its share of shared pages (PSS)", "" if shared is None else f"{shared:.0f} MB"),
            ("imports and a session alone", f"{statistics.median(memory.bare_mb):.0f} MB"),
            ("threads", str(memory.threads)),
            ("processor time of an answer over HTTP", f"{memory.cpu_ms_per_answer:.1f} ms"),
            ("bytes to the storage for it", f"{memory.written_bytes_per_answer:,}"),
        ]
    if result.offline is not None:
        offline = result.offline
        rows.append((offline.what, f"{offline.pictures_per_second:.1f} pictures a second"))
    yield Table(
        title="The box as a process (memory: resident)", columns=("what", ""), rows=tuple(rows)
    )


def _threads(result: BenchResult) -> Iterator[Table]:
    yield Table(
        title="Threads, ms",
        columns=("threads", "inference", "frame to decision"),
        rows=tuple(
            (str(each.threads), _median(each.inference), _median(each.whole))
            for each in result.threads
        ),
    )


def _forms(result: BenchResult) -> Iterator[Table]:
    yield Table(
        title="The student stored in other ways, in turns",
        columns=("form", "bytes", "inference, ms", "largest change of a probability"),
        rows=tuple(
            (
                form.name,
                f"{form.file_bytes:,}",
                _median(form.inference),
                f"{form.largest_change:.2g}",
            )
            for form in result.forms
        ),
        note="int8 is calibrated on drawn pictures here: its speed counts. What it costs in "
        "accuracy is measured on real ones, in docs/ablation.md.",
    )


def _sustained(result: BenchResult) -> Iterator[Table]:
    if result.sustained is None or not result.sustained.buckets:
        return
    buckets = result.sustained.buckets
    slowest = max(buckets, key=lambda bucket: bucket.p90)
    yield Table(
        title=f"Sustained: as fast as it goes, for {result.sustained.seconds:.0f} s",
        columns=("ten seconds", "answers", "p50, ms", "p90, ms", "warmest, °C", "slowest, MHz"),
        rows=tuple(
            (
                name,
                str(each.count),
                f"{each.p50:.2f}",
                f"{each.p90:.2f}",
                *_heat(result, each),
            )
            for name, each in (
                ("the first", buckets[0]),
                ("the slowest", slowest),
                ("the last", buckets[-1]),
            )
        ),
    )


def _heat(result: BenchResult, bucket: Bucket) -> tuple[str, str]:
    """Say how the board was then: temperature and clock, empty where it shows none."""
    began_s = result.sections["sustained"].began_s + bucket.at_s
    then = [m for m in result.condition.moments if began_s <= m.at_s <= began_s + BUCKET_S]
    celsius = max((m.celsius for m in then if m.celsius is not None), default=None)
    clock = min((m.clock_mhz for m in then if m.clock_mhz is not None), default=None)
    return ("" if celsius is None else f"{celsius:.1f}", "" if clock is None else f"{clock:.0f}")


def _energy(result: BenchResult) -> Iterator[Table]:
    energy = result.energy
    if energy is None:
        return
    rows = [(name, f"{watt:.2f} W") for name, watt in energy.watt.items()]
    if energy.millijoule_per_answer is not None:
        rows.append(("one answer, frame to history", f"{energy.millijoule_per_answer:.0f} mJ"))
    yield Table(
        title=f"Energy, from {energy.source}", columns=("part of the run", ""), rows=tuple(rows)
    )


def _median(each: Timing) -> str:
    s = each.summary
    return f"{s.p50:.2f} ({s.low:.2f} to {s.high:.2f})"


def _times(each: Contestant, student: Contestant) -> str:
    return f"{each.timing.summary.p50 / student.timing.summary.p50:.2f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write a result's tables into a page; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.report", description=__doc__)
    parser.add_argument("result", type=Path)
    parser.add_argument("page", type=Path)
    options = parser.parse_args(arguments)
    try:
        page = put_into(
            options.page.read_text(encoding="utf-8"),
            read_result(options.result),
            image_beside(options.result, options.page),
        )
    except BenchError as error:
        print(f"bench.report: {error}", file=sys.stderr)
        return 1
    options.page.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
