"""The fingerprint changes with names, labels and content, and with nothing else."""

from dataclasses import replace

import pytest

from training.data.case import Case
from training.data.fingerprint import fingerprint


@pytest.fixture
def cases(tmp_path):
    made = []
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(name.encode())
        made.append(
            Case(
                image_id=f"set/{name}",
                dataset="set",
                path=tmp_path / name,
                malignant=False,
                diagnosis="NV",
            )
        )
    return made


def test_order_and_place_on_disk_do_not_count(cases, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(cases[0].path.read_bytes())
    moved = [cases[1], replace(cases[0], path=elsewhere)]
    assert fingerprint(moved) == fingerprint(cases)


@pytest.mark.parametrize(
    "change",
    [{"image_id": "set/c"}, {"diagnosis": "BKL"}, {"diagnosis": "MEL", "malignant": True}],
)
def test_names_and_labels_count(cases, change):
    assert fingerprint([replace(cases[0], **change), cases[1]]) != fingerprint(cases)


def test_content_counts(cases):
    before = fingerprint(cases)
    cases[0].path.write_bytes(b"another picture")
    assert fingerprint(cases) != before
