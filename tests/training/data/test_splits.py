"""Nobody is trained on and judged on; parts are stable and of the promised size."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.core.manifest import DIAGNOSES
from tests.training.sets import some_cases
from training.audit import leak_of_split
from training.data.duplicates import Match
from training.data.splits import (
    CALIBRATION,
    SHARES,
    TEST,
    TRAIN,
    UNUSED,
    VALIDATION,
    Split,
    assert_no_leak,
    extend_split,
    group,
    make_split,
    part_sizes,
    read_split,
    write_split,
)
from training.errors import DataError

COMMITTED = Path(__file__).resolve().parents[3] / "training" / "splits" / "ham10000.csv"


def a_match(first, second):
    return Match(first=first, second=second, correlation=0.999)


@st.composite
def sets(draw):
    """Cases of random lesions and diagnoses, and random matches between them."""
    lesions = draw(st.lists(st.integers(0, 30), min_size=1, max_size=60))
    cases = [
        some_cases([f"L{lesion}/I{index}"], diagnosis=DIAGNOSES[(lesion * 7) % len(DIAGNOSES)])[0]
        for index, lesion in enumerate(lesions)
    ]
    place = st.integers(0, len(cases) - 1)
    pairs = draw(st.lists(st.tuples(place, place), max_size=10))
    return cases, [a_match(a, b) for a, b in pairs if a != b]


@given(sets())
@settings(deadline=None)
def test_no_group_stands_in_two_parts(drawn):
    cases, matches = drawn
    group_of = group(cases, matches=matches)
    split = make_split(cases, group_of)
    parts = {}
    for image_id, part in split.part_of.items():
        parts.setdefault(group_of[image_id], set()).add(part)
    assert set(split.part_of) == {case.image_id for case in cases}
    assert all(len(found) == 1 for found in parts.values())
    for match in matches:
        first, second = cases[match.first].image_id, cases[match.second].image_id
        assert split.part_of[first] == split.part_of[second]
    assert leak_of_split(split) == 0.0


@given(sets(), st.data())
@settings(deadline=None)
def test_further_sets_move_nobody_and_bring_no_leak(drawn, data):
    cases, matches = drawn
    split = make_split(cases, group(cases, matches=matches))
    further = some_cases([f"X{index}" for index in range(8)], diagnosis=None)
    place = st.integers(0, len(cases) + len(further) - 1)
    more = [
        a_match(a, b)
        for a, b in data.draw(st.lists(st.tuples(place, place), max_size=12))
        if a != b
    ]
    extended = extend_split(split, [*cases, *further], more)
    assert {i: extended.part_of[i] for i in split.part_of} == dict(split.part_of)
    assert {i: extended.group_of[i] for i in split.group_of} == dict(split.group_of)
    everybody = [*cases, *further]
    for match in more:
        ends = {everybody[match.first], everybody[match.second]}
        if any(case in further for case in ends):
            parts = {extended.part_of[case.image_id] for case in ends}
            assert len(parts - {UNUSED}) <= 1


def test_a_copy_inherits_group_and_part():
    cases = some_cases([f"L{i}/I{i}" for i in range(40)])
    split = make_split(cases, group(cases))
    tested = next(i for i, case in enumerate(cases) if split.part_of[case.image_id] == TEST)
    copies = some_cases(["copy", "copy-of-copy", "stranger"], diagnosis=None)
    extended = extend_split(split, [*cases, *copies], [a_match(tested, 40), a_match(40, 41)])
    assert [extended.part_of[case.image_id] for case in copies] == [TEST, TEST, TRAIN]
    assert extended.group_of["set/copy-of-copy"] == split.group_of[cases[tested].image_id]


def test_a_picture_between_two_parts_is_not_used():
    cases = some_cases([f"L{i}/I{i}" for i in range(40)])
    split = make_split(cases, group(cases))
    trained, tested = (
        next(i for i, case in enumerate(cases) if split.part_of[case.image_id] == part)
        for part in (TRAIN, TEST)
    )
    (bridge,) = some_cases(["bridge"], diagnosis=None)
    extended = extend_split(split, [*cases, bridge], [a_match(trained, 40), a_match(tested, 40)])
    assert extended.part_of["set/bridge"] == UNUSED


def test_groups_are_lesions_joined_by_pairs_and_matches():
    cases = some_cases(["B/1", "A/2", "B/3", "C/4", "5"])
    group_of = group(cases, confirmed_pairs=[("1", "2")], matches=[a_match(3, 4)])
    assert group_of == {"set/1": "A", "set/2": "A", "set/3": "A", "set/4": "C", "set/5": "C"}


def test_confirmed_pictures_that_are_not_there_are_all_named():
    cases = some_cases(["A/1", "B/2"])
    with pytest.raises(DataError, match="2 problem") as caught:
        group(cases, confirmed_pairs=[("nobody", "2"), ("1", "nothing")])
    assert "nobody" in str(caught.value)
    assert "nothing" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("image_id,part\na,train\n", "expected the columns"),
        ("", "expected the columns"),
        ("image_id,group,part\na,g,practice\n", "practice"),
        ("image_id,group,part\na,g,train\na,g,train\n", "2 rows"),
    ],
)
def test_a_file_that_is_no_split_is_refused(tmp_path, text, named):
    (tmp_path / "split.csv").write_text(text)
    with pytest.raises(DataError, match=named):
        read_split(tmp_path / "split.csv")


def test_parts_have_the_promised_share_in_each_class():
    cases = [
        case
        for diagnosis in ("MEL", "NV")
        for case in some_cases([f"{diagnosis}{i}" for i in range(500)], diagnosis=diagnosis)
    ]
    split = make_split(cases, group(cases))
    for diagnosis in ("MEL", "NV"):
        counts = Counter(split.part_of[c.image_id] for c in cases if c.diagnosis == diagnosis)
        for part, share in SHARES.items():
            assert share * 500 <= counts[part] < share * 500 + 1


def test_the_order_of_the_cases_does_not_matter():
    cases = some_cases([f"L{i // 2}/I{i}" for i in range(60)])
    assert (
        make_split(cases, group(cases)).part_of
        == make_split(cases[::-1], group(cases[::-1])).part_of
    )


def test_a_split_is_read_as_it_was_written(tmp_path):
    cases = some_cases([f"L{i // 2}/I{i}" for i in range(20)])
    split = make_split(cases, group(cases))
    write_split(tmp_path / "new" / "split.csv", split)
    assert read_split(tmp_path / "new" / "split.csv") == split
    assert read_split(tmp_path / "new" / "split.csv").sha256 == split.sha256


def test_a_leaking_file_is_refused(tmp_path):
    path = tmp_path / "split.csv"
    path.write_text("image_id,group,part\na/1,G,train\na/2,G,test\n")
    with pytest.raises(DataError, match=r"G: \['test', 'train'\]"):
        read_split(path)
    with pytest.raises(DataError, match="make it with `training audit`"):
        read_split(tmp_path / "absent.csv")


def test_pictures_that_the_split_does_not_know_are_named():
    split = Split(group_of={"set/1": "1"}, part_of={"set/1": TRAIN})
    with pytest.raises(DataError, match="set/2"):
        split.cases(some_cases(["1", "2"]), TRAIN)
    assert [case.image_id for case in split.cases(some_cases(["1"]), TRAIN)] == ["set/1"]
    assert not split.cases(some_cases(["1"]), TEST)


def test_the_committed_split_of_ham10000_holds():
    """10,015 pictures, no leak, at least 2,000 of them for the test; the digest never moves."""
    split = read_split(COMMITTED)
    assert_no_leak(split)
    assert part_sizes(split) == {TRAIN: 5738, VALIDATION: 1010, CALIBRATION: 1208, TEST: 2059}
    assert split.sha256 == "a09ba29af353424af93fc5356b3fed816c7b64692d70b4210960ed731921ca8b"
