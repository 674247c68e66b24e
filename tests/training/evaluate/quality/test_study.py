"""The tables count what was said, and say what the counts are of."""

from training.evaluate.quality.bad_pictures import BAD
from training.evaluate.quality.study import (
    GOOD,
    Judged,
    table_of_drawn,
    table_of_real,
    table_of_reasons,
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
