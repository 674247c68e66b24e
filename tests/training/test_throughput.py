"""The throughput of every network of a recipe is measured, in positive pictures a second."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from training import throughput
from training.cli import main
from training.throughput import LEAST_SHARE, measure_throughput

LINE = throughput.Throughput(
    network="n",
    side_px=64,
    batch_size=16,
    plain_fp32=10.0,
    plain=20.0,
    fast=35.0,
    whole=31.5,
    whole_share=0.91,
)


def test_each_member_of_a_teacher_has_a_line_of_its_own():
    found = measure_throughput("demo_teacher", steps=1)
    assert [line.network for line in found] == ["mobilenetv3_small_050", "test_convnext"]
    assert all(
        min(line.plain_fp32, line.plain, line.fast, line.whole, line.whole_share) > 0
        for line in found
    )


def test_a_student_is_measured_at_its_own_side():
    (line,) = measure_throughput("demo_student", steps=1)
    assert (line.network, line.side_px, line.batch_size) == ("student", 64, 16)


def test_the_table_shows_the_ratio(capsys):
    throughput.print_throughput([LINE], throughput.Console(width=200))
    shown = capsys.readouterr().out
    assert "3.5" in shown
    assert "91%" in shown


@pytest.mark.parametrize(
    ("share", "status"), [(LEAST_SHARE, 0), (LEAST_SHARE - 0.01, 1), (float("nan"), 1)]
)
def test_a_loop_that_wastes_steps_is_an_error_and_kept_all_the_same(
    share, status, tmp_path, monkeypatch, capsys
):
    found = [LINE, replace(LINE, whole_share=share)]
    monkeypatch.setattr(throughput, "measure_throughput", lambda recipe, *, steps: found)
    results = tmp_path / "throughput.json"
    assert main(["throughput", "demo_student", "--results", str(results)]) == status
    assert ("look for other work" in capsys.readouterr().err) == (status == 1)
    kept = json.loads(results.read_text())
    assert kept["command"] == "python -m training throughput demo_student --steps 10"
    assert kept["networks"][0] == asdict(LINE)


def test_the_drawn_part_shows_every_diagnosis_and_both_answers():
    part = throughput.drawn_part(15, 32)
    assert part.pixels_VNSSC.shape == (1, 15, 32, 32, 3)
    assert set(part.diagnosis_N) == set(range(7))
    assert {case.malignant for case in part.cases} == {True, False}
    np.testing.assert_array_equal(part.malignant_N[part.diagnosis_N == 1], 0.0)
