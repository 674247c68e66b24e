"""``python bench/run.py`` is found from anywhere, refuses wrong names and writes what it says."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench import measure, run
from bench.results import Section, read_result
from tests.bench.builders import a_contestant, a_result

ROOT = Path(__file__).parents[2]


def started(*arguments, cwd):
    return subprocess.run(
        [sys.executable, ROOT / "bench/run.py", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_file_is_started_from_anywhere_and_measures(tmp_path):
    arguments = ("--board", "auto", "--quick", "--only", "offline", "--out", str(tmp_path))
    done = started(*arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (file,) = tmp_path.glob("quick-*.json")
    result = read_result(file)
    assert result.offline.pictures == measure.QUICK.pictures
    assert result.is_quick
    assert file.with_suffix(".md").read_text()
    assert json.loads(file.read_text())["format"] == "edgederm-bench-1"


def test_a_wrong_board_is_refused_before_anything_is_measured(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(measure, "measure", lambda *_: pytest.fail("it measured"))
    assert run.main(["--board", "zero2w", "--out", str(tmp_path)]) == 1
    assert "--board zero2w" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def planned(monkeypatch, tmp_path, *arguments):
    seen = []

    def fake(plan, _begin):
        seen.append(plan)
        return a_result(sections=dict.fromkeys(plan.sections, Section(began_s=0.0, ended_s=1.0)))

    monkeypatch.setattr(measure, "measure", fake)
    assert run.main([*arguments, "--out", str(tmp_path)]) == 0
    return seen[0]


def test_what_is_asked_for_is_what_is_measured(monkeypatch, tmp_path):
    assert planned(monkeypatch, tmp_path).sections == measure.ALWAYS
    peers = planned(monkeypatch, tmp_path, "--peers", "--sustained")
    assert {*peers.sections} == {*measure.ALWAYS, "ways", "sustained"}
    assert peers.with_peers
    bars = planned(monkeypatch, tmp_path, "--bars")
    assert bars.sections == measure.FOR_BARS
    assert bars.with_peers
    assert planned(monkeypatch, tmp_path, "--only", "forms", "--quick").counts == measure.QUICK


def test_missed_bars_are_an_exit_status(monkeypatch, tmp_path, capsys):
    slow = a_result(
        networks=(
            a_contestant("student", *[1.0] * 5, macs=1),
            a_contestant("MobileNetV2", *[2.0] * 5, macs=1),
            a_contestant("matrix product in NumPy", *[10.0] * 5),
        )
    )
    monkeypatch.setattr(measure, "measure", lambda *_: slow)
    assert run.main(["--bars", "--out", str(tmp_path)]) == 1
    assert "MobileNetV2 over the student" in capsys.readouterr().err
    assert run.main(["--out", str(tmp_path)]) == 0


def test_bars_that_could_not_be_looked_at_are_not_met(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(measure, "measure", lambda *_: a_result(left_out=("no onnx",)))
    assert run.main(["--bars", "--out", str(tmp_path)]) == 1
    assert "networks were not measured" in capsys.readouterr().err


def test_a_part_that_broke_off_is_an_exit_status_and_said(monkeypatch, tmp_path, capsys):
    broken = a_result(failed=("presses: the light stayed off",))
    monkeypatch.setattr(measure, "measure", lambda *_: broken)
    assert run.main(["--out", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert "failed: presses: the light stayed off" in said.err
    assert "Failed: presses: the light stayed off." in (tmp_path / "part-generic.md").read_text()
    assert not (tmp_path / "generic.md").exists()


def test_enough_is_measured_for_the_method():
    """MLPerf's single stream asks for 1,024 queries, the bars for five runs."""
    counts = measure.Counts()
    assert counts.queries >= 1024
    assert min(counts.rounds, counts.starts) >= 5
