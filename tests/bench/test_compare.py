"""Two results are told apart where they differ, and not where they do not."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from bench.compare import compare, differences, main
from bench.results import write_result
from bench.samples import summarize
from tests.bench.builders import a_contestant, a_result

ROOT = Path(__file__).parents[2]


def a_run(seed, factor=1.0, **changes):
    rng = np.random.default_rng(seed)
    same, other = 1 + 0.1 * rng.random(64), 1 + 0.1 * rng.random(64)
    return a_result(
        ways=(a_contestant("same", *same), a_contestant("other", *(factor * other))), **changes
    )


def test_what_got_slower_and_faster_is_named_and_the_rest_is_the_same():
    slower = {each.name: each.verdict for each in compare(a_run(1), a_run(2, 1.3))}
    assert slower == {"same": "same", "other": "slower"}
    faster = {each.name: each.verdict for each in compare(a_run(1), a_run(2, 0.8))}
    assert faster == {"same": "same", "other": "faster"}


def test_a_percent_is_no_difference_however_sure():
    before = a_result(ways=(a_contestant("x", *np.linspace(1, 1.001, 64)),))
    after = a_result(ways=(a_contestant("x", *np.linspace(1.01, 1.011, 64)),))
    (found,) = compare(before, after)
    assert found.chance < 0.01
    assert found.verdict == "same"


def test_seven_samples_that_got_slower_are_seen_among_fifty_that_did_not():
    """As many as a run has of starts, beside all else that it times."""
    rng = np.random.default_rng(4)

    def run(factor):
        ways = [a_contestant(f"way {i}", *(1 + 0.1 * rng.random(9))) for i in range(50)]
        slow = a_contestant("start", *(factor * (1 + 0.1 * rng.random(7))))
        return a_result(ways=(*ways, slow))

    verdicts = {each.name: each.verdict for each in compare(run(1.0), run(3.0))}
    assert verdicts.pop("start") == "slower"
    assert set(verdicts.values()) == {"same"}


def test_too_few_samples_are_not_compared():
    few = a_result(ways=(a_contestant("x", 1.0, 2.0),))
    assert compare(few, few) == []


def test_what_else_differs_is_said():
    other = a_run(1)
    place = other.environment.model_copy(update={"versions": {"numpy": "3"}, "commit": "def"})
    assert differences(a_run(1), other.model_copy(update={"environment": place})) == [
        "commit: abc, then def",
        "numpy: 2, then 3",
    ]


def test_the_program_is_started_as_a_file_from_anywhere(tmp_path):
    for name, factor in (("a", 1.0), ("b", 1.5)):
        write_result(a_run(1, factor), tmp_path / f"{name}.json")
    done = subprocess.run(
        [sys.executable, ROOT / "bench/compare.py", "a.json", "b.json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "slower" in done.stdout


def test_a_file_that_is_no_result_is_refused(tmp_path, capsys):
    (tmp_path / "a.json").write_text("{}")
    assert main([str(tmp_path / "a.json"), str(tmp_path / "a.json")]) == 1
    assert "edgederm-bench-1" in capsys.readouterr().err


def test_a_summary_of_a_run_is_that_of_its_samples():
    run = a_run(1)
    assert run.ways[0].timing.summary == summarize(run.ways[0].timing.samples_ms)
