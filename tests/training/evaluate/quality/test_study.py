"""The tables count what was said, and say what the counts are of."""

import pytest

from tests.training.sets import a_ham10000
from tests.training.small import a_split_of
from training.data.readers import read_dataset
from training.evaluate.marked_page import BEGIN, END
from training.evaluate.quality.__main__ import main
from training.evaluate.quality.bad_pictures import BAD
from training.evaluate.quality.study import (
    GOOD,
    Judged,
    table_of_drawn,
    table_of_real,
    table_of_reasons,
    too_often_refused,
    too_seldom_right,
)


def judged(kind, gate=(), *, is_novel=False, advice=()):
    return Judged(kind=kind, gate=tuple(gate), is_novel=is_novel, advice=tuple(advice))


REAL = [
    judged("MEL"),
    judged("MEL", ["cut_off"], is_novel=True),
    judged("NV", is_novel=True, advice=["some_hair"]),
    judged("NV"),
]


def test_gate_and_novelty_are_counted_apart_and_together():
    lines = table_of_real(REAL).splitlines()
    assert lines[2:] == [
        "| all | 4 | 1 (25.00%) | 2 (50.00%) | 2 (50.00%) |",
        "| MEL | 2 | 1 (50.00%) | 1 (50.00%) | 1 (50.00%) |",
        "| NV | 2 | 0 (0.00%) | 1 (50.00%) | 1 (50.00%) |",
    ]


def test_reasons_and_advice_are_counted():
    assert table_of_reasons(REAL).splitlines()[2:] == [
        "| cut_off | 1 (25.00%) |",
        "| some_hair (advice) | 1 (25.00%) |",
    ]


def test_only_the_right_reason_counts_as_right():
    rows = [judged(GOOD), *(judged(kind, [kind]) for kind in BAD)]
    rows += [judged("glare", ["blurred"]), judged("no_lesion", ["flat"])]
    lines = {line.split(" | ")[0]: line for line in table_of_drawn(rows).splitlines()}
    assert lines["| glare"] == "| glare | 2 | 100.0% | 50.0% | blurred 1 |"
    assert lines["| no_lesion"] == "| no_lesion | 2 | 100.0% | 100.0% | – |"
    assert lines["| as drawn"] == "| as drawn | 1 | 0.0% | – | – |"


def test_bars_are_missed_by_name():
    passed = [judged("NV") for _ in range(95)]
    assert too_often_refused([*passed, *(judged("NV", ["blurred"]) for _ in range(2))]) == []
    refused = [judged("DF"), judged("DF", is_novel=True)]
    assert too_often_refused([*passed, *refused]) == ["DF: 1 of 2 refused, more than 5%"]
    assert too_often_refused([*passed[:30], *refused])[0].startswith("all: 1 of 32 refused")
    right = [judged("glare", ["glare"]) for _ in range(19)]
    assert too_seldom_right([*right, judged("glare")]) == []
    assert too_seldom_right([*right, judged("glare"), judged("glare", ["blurred"])]) == [
        "glare: 19 of 21 for the right reason, less than 95%"
    ]


def test_a_page_gets_all_figures_or_none(tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    with pytest.raises(SystemExit):
        main(["--page", str(page), "--drawn", "1"])
    assert "give --data and --drawn" in capsys.readouterr().err
    rows = [(f"L{i}", f"I{i}", ("nv", "mel")[i % 2]) for i in range(40)]
    data = a_ham10000(tmp_path / "ham10000", rows)
    split = a_split_of(tmp_path / "split.csv", read_dataset(data))
    main(["--data", str(data), "--split", str(split), "--drawn", "1", "--page", str(page)])
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "Test, " in text
    assert "Train, validation, calibration, " in text
    assert "Drawn, 1 of each kind" in text
