"""The audit measures what a random split leaks, finds copies, and parts without a leak."""

import io
import json

import cv2
import numpy as np
import pytest
from rich.console import Console

from tests.training.sets import a_ham10000, a_lesion, write_picture
from training.audit import (
    audit_datasets,
    leak_of_split,
    naive_leak,
    print_audit,
    write_audit,
)
from training.data.readers.ham10000 import RECORD_FOLDER
from training.data.splits import AUDIT_NAME, SPLIT_NAME, TEST, TRAIN, Split, read_split
from training.errors import DataError

ROWS = [(f"L{i // 2}", f"I{i}", ("nv", "mel", "bkl", "bcc")[i // 2 % 4]) for i in range(24)]


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    """A set of record, and one that shows six of its pictures squeezed, and two strangers."""
    folder = tmp_path_factory.mktemp("sets")
    record = a_ham10000(folder / "ham", ROWS)
    for number in range(6):
        original = cv2.imread(str(record / RECORD_FOLDER / f"I{number}.jpg"))
        label = "malignant" if ROWS[number][2] in {"mel", "bcc"} else "benign"
        path = folder / "clinic" / label / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), cv2.resize(original, (48, 48), interpolation=cv2.INTER_AREA))
    for number, label in enumerate(("benign", "malignant")):
        write_picture(folder / "clinic" / label / "stranger.png", a_lesion(900 + number, "VASC"))
    return record, folder / "clinic"


def test_pairs_leak_what_chance_says():
    """With two pictures a lesion, a test picture's sibling is in training 8 times in 10."""
    leak = naive_leak([f"L{i // 2}" for i in range(400)], draws=100)
    assert leak.share == pytest.approx(0.8 * 400 / 399, abs=0.01)
    assert leak.share_of_lesions_with_several == leak.share
    assert leak.low < leak.share < leak.high


def test_lone_pictures_leak_nothing_and_halve_the_share():
    assert naive_leak([str(i) for i in range(50)], draws=5).share == 0.0
    half = naive_leak([f"L{i // 2}" for i in range(200)] + [f"M{i}" for i in range(200)], draws=100)
    assert half.share == pytest.approx(0.4, abs=0.02)
    assert half.share_of_lesions_with_several == pytest.approx(0.8, abs=0.02)


def test_the_same_measure_sees_a_leak_in_a_split():
    """The control of the zero: a split that does leak is not called clean."""
    group_of = {"a": "1", "b": "1", "c": "2", "d": "3"}
    leaking = Split(group_of=group_of, part_of={"a": TEST, "b": TRAIN, "c": TEST, "d": TRAIN})
    assert leak_of_split(leaking) == 0.5


def test_copies_are_found_and_move_nobody(roots):
    record, further = roots
    alone = audit_datasets(record, draws=5)
    both = audit_datasets(record, [further], draws=5)
    assert alone.ours == both.ours == 0.0
    for image_id, part in alone.split.part_of.items():
        assert both.split.part_of[image_id] == part
        assert both.split.group_of[image_id] == alone.split.group_of[image_id]
    (overlap,) = [o for o in both.overlaps if (o.dataset, o.shown_in) == ("clinic", "ham10000")]
    assert (overlap.pictures, overlap.of) == (6, 8)
    for number in range(6):
        label = "malignant" if ROWS[number][2] in {"mel", "bcc"} else "benign"
        copy = both.split.part_of[f"clinic/{label}/{number}.png"]
        assert copy == alone.split.part_of[f"ham10000/I{number}"]
    assert both.split.part_of["clinic/benign/stranger.png"] == TRAIN
    assert both.fingerprint == alone.fingerprint


def test_confirmed_pairs_join_lesions(roots, tmp_path):
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("similarity,from_image_id,to_image_id\n0.98,I0,I2\n")
    audit = audit_datasets(roots[0], duplicates=pairs, draws=5)
    assert audit.split.group_of["ham10000/I2"] == "L0"
    assert audit.joined_groups == 1
    assert audit.largest_group == ("L0", 4)


def test_what_is_written_is_what_was_found(roots, tmp_path):
    audit = audit_datasets(roots[0], [roots[1]], draws=5)
    write_audit(audit, tmp_path)
    assert read_split(tmp_path / SPLIT_NAME) == audit.split
    document = json.loads((tmp_path / AUDIT_NAME).read_text())
    assert document["our_split"]["leak"] == 0.0
    assert document["our_split"]["sha256"] == audit.split.sha256
    assert document["naive_split"]["leak_by_lesion_id"]["share"] == audit.naive_by_lesion.share
    assert sum(document["our_split"]["parts"].values()) == 32


def test_people_see_the_same_figures(roots):
    audit = audit_datasets(roots[0], draws=5)
    console = Console(file=io.StringIO(), width=140)
    print_audit(audit, console)
    text = console.file.getvalue()
    assert f"{audit.naive_by_lesion.share:.1%}" in text
    assert "0.0%" in text
    assert audit.fingerprint in text


def test_sets_without_lesions_are_audited_by_group(roots):
    audit = audit_datasets(roots[1], draws=5)
    assert audit.naive_by_lesion is None
    assert np.isfinite(audit.naive_by_group.share)


def test_a_set_named_twice_is_refused(roots):
    with pytest.raises(DataError, match="ham10000: more than one set"):
        audit_datasets(roots[0], [roots[0]])
