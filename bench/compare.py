"""
Which of two results is faster: ``python bench/compare.py BEFORE.json AFTER.json``.

Runs of neighbouring samples are compared, not single ones, by Mann and Whitney's test; of what is
called a difference at most a twentieth is luck.  Two runs on one machine differ by a few per cent
for no reason, so a difference below 2 % is none, whatever the test says.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

if __name__ == "__main__":
    # As in bench/run.py.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from bench.results import BenchError, BenchResult, Timing, read_result
from bench.samples import (
    SIGNIFICANT,
    blocks,
    chance_of_difference,
    corrected,
    ratio_interval,
)

LEAST_DIFFERENCE = 0.02
_LEAST_SAMPLES = 7
"""Of fewer nothing can be told among so many comparisons."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One thing that both results timed."""

    name: str
    before_ms: float
    after_ms: float
    ratio: float
    low: float
    """Of the 95 % interval of the ratio."""
    high: float
    chance: float
    """That chance alone gives a difference as large, over all comparisons."""

    @property
    def verdict(self) -> str:
        """``faster``, ``slower`` or ``same``: no difference that can be told from chance."""
        is_sure = self.chance < SIGNIFICANT and not self.low <= 1 <= self.high
        if not is_sure or abs(self.ratio - 1) < LEAST_DIFFERENCE:
            return "same"
        return "faster" if self.ratio < 1 else "slower"


def compare(before: BenchResult, after: BenchResult) -> list[Comparison]:
    """Compare everything that both results timed often enough."""
    left, right = timings(before), timings(after)
    both = {
        name: (blocks(left[name].samples_ms), blocks(right[name].samples_ms))
        for name in left
        if name in right
        and min(left[name].summary.count, right[name].summary.count) >= _LEAST_SAMPLES
    }
    chances = corrected({name: chance_of_difference(*pair) for name, pair in both.items()})
    found = []
    for name, pair in both.items():
        ratio, low, high = ratio_interval(*pair)
        found.append(
            Comparison(
                name=name,
                before_ms=left[name].summary.p50,
                after_ms=right[name].summary.p50,
                ratio=ratio,
                low=low,
                high=high,
                chance=chances[name],
            )
        )
    return found


def timings(result: BenchResult) -> dict[str, Timing]:
    """Return what *result* timed, by name; of a press the whole, not its stages."""
    found: dict[str, Timing] = {}
    if result.start is not None:
        for name in ("bare_imports", "ready", "first_answer"):
            found[f"start: {name}"] = getattr(result.start, name)
    for key, stream in result.streams.items():
        found |= {f"{key}: {name}": each for name, each in stream.stages.items()}
    if result.press is not None:
        found["press: whole"] = result.press.whole
    for each in result.threads:
        found[f"{each.threads} threads: inference"] = each.inference
        found[f"{each.threads} threads: whole"] = each.whole
    found |= {f"form: {form.name}": form.inference for form in result.forms}
    found |= {each.name: each.timing for each in (*result.networks, *result.ways)}
    return found


def differences(before: BenchResult, after: BenchResult) -> list[str]:
    """Say in what the two runs differ besides their times."""
    found = []
    for name, one, other in (
        ("board", before.board.found, after.board.found),
        ("processor", before.environment.processor, after.environment.processor),
        ("model", before.model.sha256[:12], after.model.sha256[:12]),
        ("commit", before.environment.commit, after.environment.commit),
        ("kernel", before.environment.kernel, after.environment.kernel),
        ("Python", before.environment.python, after.environment.python),
        ("governor", before.environment.governors, after.environment.governors),
    ):
        if one != other:
            found.append(f"{name}: {one}, then {other}")
    libraries = before.environment.versions.keys() | after.environment.versions.keys()
    for name in sorted(libraries):
        one, other = (each.environment.versions.get(name) for each in (before, after))
        if one != other:
            found.append(f"{name}: {one}, then {other}")
    for which, each in (("before", before), ("after", after)):
        found += [f"warning {which}: {warning}" for warning in each.condition.warnings]
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the comparison; exit status 1 if the files cannot be read."""
    parser = argparse.ArgumentParser(
        prog="python bench/compare.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    options = parser.parse_args(arguments)
    try:
        before, after = read_result(options.before), read_result(options.after)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    for line in differences(before, after):
        print(line)
    found = compare(before, after)
    width = max((len(each.name) for each in found), default=0)
    print(f"{'':{width}} {'before ms':>10} {'after ms':>10} {'ratio':>7} {'95 % interval':>17}")
    for each in found:
        chance = f"chance {each.chance:.2g}"
        print(
            f"{each.name:{width}} {each.before_ms:10.3f} {each.after_ms:10.3f} {each.ratio:7.3f} "
            f"{f'{each.low:.3f} to {each.high:.3f}':>17}  {each.verdict:6} {chance}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
