"""Each protocol leaks what it says it leaks, and no other does."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.sets import a_ham10000, some_cases
from training.data.cache import prepare_variant
from training.data.case import load_pixels
from training.data.protocols import (
    COPIES,
    PAPER,
    PROTOCOLS,
    RANDOM,
    SIBLINGS_IN,
    SIBLINGS_OUT,
    WARNINGS,
    original,
    parted,
    siblings_trained_on,
)
from training.data.provenance import describe_data, require_split
from training.data.readers import read_dataset
from training.data.splits import (
    CALIBRATION,
    GROUPED,
    TEST,
    TRAIN,
    UNUSED,
    VALIDATION,
    make_split,
    part_sizes,
    read_split,
)
from training.errors import DataError, RunError
from training.recipes.preprocessing import six_stages

COMMITTED = Path(__file__).resolve().parents[3] / "training" / "splits" / "ham10000.csv"


@pytest.fixture(scope="module")
def material():
    """200 lesions, every third with two pictures, a fifth of them malignant; and our split."""
    cases = []
    for lesion in range(200):
        names = [f"L{lesion}/I{lesion}-{n}" for n in range(2 if lesion % 3 == 0 else 1)]
        cases += some_cases(names, diagnosis="MEL" if lesion % 5 == 0 else "NV")
    return cases, make_split(cases, {case.image_id: case.lesion_id for case in cases})


def groups_in(split, part):
    return {split.group_of[name] for name, found in split.part_of.items() if found == part}


def test_grouped_is_the_split_of_record(material):
    cases, split = material
    assert parted(GROUPED, cases, split) == (cases, split)


def test_every_protocol_repeats_and_calls_itself_by_name(material):
    cases, split = material
    digests = set()
    for protocol in PROTOCOLS:
        _, found = parted(protocol, cases, split)
        assert found.protocol == protocol
        assert found == parted(protocol, list(reversed(cases)), split)[1]
        digests.add(found.sha256)
    assert len(digests) == len(PROTOCOLS)


def test_random_parts_pictures_one_by_one(material):
    cases, split = material
    found_cases, found = parted(RANDOM, cases, split)
    assert found_cases == cases
    assert part_sizes(found)[TEST] == pytest.approx(0.2 * len(cases), abs=1)
    assert groups_in(found, TEST) & groups_in(found, TRAIN)
    assert dict(found.group_of) == dict(split.group_of)


def test_paper_copies_first_and_parts_the_copies(material):
    cases, split = material
    found_cases, found = parted(PAPER, cases, split)
    names = [case.image_id for case in found_cases]
    assert len(set(names)) == len(names)
    labels = Counter(case.malignant for case in found_cases)
    assert labels[False] == COPIES * sum(not case.malignant for case in cases)
    assert labels[True] == pytest.approx(labels[False], rel=0.15)
    trained = {original(name) for name, part in found.part_of.items() if part == TRAIN}
    judged = [name for name, part in found.part_of.items() if part == TEST]
    assert len(judged) == pytest.approx(0.2 * len(names), abs=1)
    assert np.mean([original(name) in trained for name in judged]) > 0.8
    assert all(found.group_of[name] == split.group_of[original(name)] for name in names)


def test_a_copy_is_a_variant_of_its_picture_and_the_first_one_is_the_picture(tmp_path):
    root = a_ham10000(tmp_path / "set", [("L1", "I1", "nv"), ("L2", "I2", "mel")])
    cases = read_dataset(root)
    split = make_split(cases, {case.image_id: case.lesion_id for case in cases})
    copies = [case for case in parted(PAPER, cases, split)[0] if case.path == cases[0].path]
    assert len(copies) == COPIES
    spec = six_stages(32)
    shown = [prepare_variant(case, load_pixels(case), spec, 0) for case in copies]
    np.testing.assert_array_equal(
        shown[0], prepare_variant(cases[0], load_pixels(cases[0]), spec, 0)
    )
    assert all((shown[0] != each).any() for each in shown[1:])
    assert (shown[1] != shown[2]).any()


def test_the_arms_judge_the_same_pictures_and_train_on_as_many(material):
    cases, split = material
    _, with_siblings = parted(SIBLINGS_IN, cases, split)
    _, without = parted(SIBLINGS_OUT, cases, split)
    judged = [case.image_id for case in without.cases(cases, TEST)]
    assert judged == [case.image_id for case in with_siblings.cases(cases, TEST)]
    assert {without.group_of[name] for name in judged} == groups_in(split, TEST)
    for part in (CALIBRATION, VALIDATION):
        assert without.cases(cases, part) == with_siblings.cases(cases, part)
    trained, other = (each.cases(cases, TRAIN) for each in (with_siblings, without))
    assert len(trained) == len(other)
    assert Counter(c.diagnosis for c in trained) == Counter(c.diagnosis for c in other)
    # What the one has more are siblings of judged pictures, and nothing else differs.
    more = {case.image_id for case in trained} - {case.image_id for case in other}
    assert more
    assert {split.group_of[name] for name in more} <= {split.group_of[name] for name in judged}
    assert {split.part_of[name] for name in more} == {TEST}
    assert all(without.part_of[name] == UNUSED for name in more)


def test_siblings_in_training_are_found_where_they_are(material):
    cases, split = material
    for protocol, expected in ((GROUPED, 0), (SIBLINGS_OUT, 0), (SIBLINGS_IN, None)):
        _, found = parted(protocol, cases, split)
        judged = [case.image_id for case in found.cases(cases, TEST)]
        told = siblings_trained_on(found, judged)
        several = Counter(split.group_of.values())
        wanted = [several[split.group_of[name]] > 1 for name in judged]
        assert told == (wanted if expected is None else [False] * len(judged))


def test_the_committed_split_gives_a_leak_to_measure():
    """HAM10000's own lesions: how many judged pictures have a sibling in the one arm."""
    split = read_split(COMMITTED)
    cases = [
        replace(case, image_id=name)
        for name in sorted(split.part_of)
        for case in some_cases([name])
    ]
    _, found = parted(SIBLINGS_IN, cases, split)
    judged = [case.image_id for case in found.cases(cases, TEST)]
    told = siblings_trained_on(found, judged)
    assert len(judged) > 1500
    assert sum(told) > 400


def test_a_split_without_the_pictures_and_an_unknown_protocol_are_refused(material):
    cases, split = material
    with pytest.raises(DataError, match="in no part"):
        parted(RANDOM, some_cases(["L/other"]), split)
    with pytest.raises(RunError, match="expected one of grouped, random, paper"):
        parted("best", cases, split)
    single = some_cases([f"L{n}/I{n}" for n in range(20)])
    lonely = make_split(single, {case.image_id: case.lesion_id for case in single})
    with pytest.raises(DataError, match="every test lesion has one picture"):
        parted(SIBLINGS_OUT, single, lonely)


@pytest.mark.parametrize("protocol", WARNINGS)
def test_a_run_is_judged_under_its_own_protocol_alone(tmp_path, protocol):
    rows = [(f"L{i // 2}", f"I{i}", ("nv", "mel")[i // 2 % 2]) for i in range(24)]
    cases = read_dataset(a_ham10000(tmp_path / "set", rows))
    split = make_split(cases, {case.image_id: case.lesion_id for case in cases})
    found_cases, found = parted(protocol, cases, split)
    trained_on = describe_data(found_cases, found)
    require_split(trained_on, found_cases, found)
    with pytest.raises(RunError, match=f"name --protocol {protocol}"):
        require_split(trained_on, cases, split)
    with pytest.raises(RunError, match="name --protocol grouped"):
        require_split(describe_data(cases, split), found_cases, found)
