"""Erased means gone: a search of every byte of every file finds nothing."""

import random

import cv2
import numpy as np
import pytest

from device.core.results import Annotation, ResultFilter
from tests.builders import a_capture, a_history, a_spec, an_answer

pytestmark = pytest.mark.portable
WORD, NOTE, PATIENT, LESION = "source-of-shame", "the note to forget", "P-forget-me", "left ear 9"


def everything(folder):
    """All bytes of all files, log and index included."""
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def noise_picture(seed):
    """A picture whose JPEG file repeats nowhere."""
    rng = np.random.default_rng(seed)
    small_HWC = rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)
    return cv2.resize(small_HWC, (400, 300), interpolation=cv2.INTER_CUBIC)


def traces(archive, result_id):
    """Whatever could give away a result: its words, its secret, pieces of its pictures."""
    jpeg, thumbnail = archive.picture(result_id).result(30), archive.thumbnail(result_id).result(30)
    pieces = [
        file[start : start + 24]
        for file in (jpeg, thumbnail)
        for start in range(700, len(file) - 24, 509)
    ]
    assert len(pieces) > 20
    secret = result_id.split("-")[1]
    return [*(word.encode() for word in (WORD, NOTE, PATIENT, LESION, secret)), *pieces]


@pytest.fixture
def archive(tmp_path):
    with a_history(tmp_path / "state") as opened:
        opened.keep_pictures(a_spec(), longest_px=400, max_pixels=10**6)
        yield opened


def fill(archive, count, *, first_seed):
    ids = []
    for seed in range(first_seed, first_seed + count):
        answer = an_answer(source=f"harmless-{seed}")
        result_id = archive.record(a_capture(noise_picture(seed)), answer).result_id
        archive.annotate(
            result_id, Annotation(note=f"note {seed} " * (1 + seed % 40), consent=True), actor="t"
        ).result(30)
        ids.append(result_id)
    return ids


def shameful(archive, seed):
    answer = an_answer(source=WORD)
    result_id = archive.record(a_capture(noise_picture(seed)), answer).result_id
    changes = Annotation(note=NOTE, patient_reference=PATIENT, lesion_reference=LESION)
    archive.annotate(result_id, changes, actor="t").result(30)
    return result_id


def found(folder, needles):
    content = everything(folder)
    return [needle for needle in needles if needle in content]


def test_an_erased_result_leaves_no_byte_among_others(archive, tmp_path):
    before = fill(archive, 6, first_seed=0)
    doomed = shameful(archive, 99)
    fill(archive, 6, first_seed=10)
    needles = traces(archive, doomed)
    assert found(tmp_path / "state", needles) == needles  # The search can find.
    archive.delete(doomed, actor="api").result(30)
    # The trail names the erased id, which says nothing about anybody.
    needles.remove(doomed.split("-")[1].encode())
    assert found(tmp_path / "state", needles) == []
    assert archive.picture(before[0]).result(30)


def test_what_an_annotation_replaces_is_gone_as_well(archive, tmp_path):
    fill(archive, 3, first_seed=0)
    result_id = shameful(archive, 99)
    changes = Annotation(note=None, patient_reference="P-2", lesion_reference=None)
    archive.annotate(result_id, changes, actor="api").result(30)
    words = [word.encode() for word in (NOTE, PATIENT, LESION)]
    assert found(tmp_path / "state", words) == []


def test_retention_erases(tmp_path):
    with a_history(tmp_path / "state", keep_bytes=1) as archive:
        archive.keep_pictures(a_spec(), longest_px=400, max_pixels=10**6)
        needles = traces(archive, shameful(archive, 99))
        fill(archive, 3, first_seed=0)
        assert archive.prune().result(30) >= 3
        assert found(tmp_path / "state", needles) == []


def test_pages_that_are_split_joined_and_filled_anew_keep_no_remains(tmp_path):
    """Rows of all lengths come and go in every order; what is gone is nowhere at each step."""
    chance = random.Random(7)  # noqa: S311 - a test repeats
    with a_history(tmp_path / "state") as archive:
        alive, dead = {}, []
        for step in range(120):
            if alive and chance.random() < 0.45:
                result_id = chance.choice(list(alive))
                marks = alive.pop(result_id)
                if chance.random() < 0.7:
                    archive.delete(result_id, actor="t").result(30)
                else:
                    archive.annotate(result_id, Annotation(note=None), actor="t").result(30)
                dead += marks[1:]
            else:
                result_id = archive.record(a_capture(), an_answer()).result_id
                mark = f"mark{step:05d}"
                note = "".join(f"{mark}/{part} " for part in range(chance.randrange(1, 150)))
                archive.annotate(result_id, Annotation(note=note[:2000]), actor="t").result(30)
                alive[result_id] = [b"", mark.encode()]
            if step % 12 == 0:
                assert found(tmp_path / "state", dead) == []
        assert found(tmp_path / "state", dead) == []
        assert len(dead) > 25
    assert found(tmp_path / "state", dead) == []


def test_an_erasure_that_a_power_cut_stopped_halfway_is_finished_at_the_start(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("device.history.archive.empty_log", lambda _: None)
    folder = tmp_path / "state"
    with a_history(folder) as archive:
        result_id = archive.record(a_capture(), an_answer(source=WORD)).result_id
        archive.delete(result_id, actor="api").result(30)
        # As the disk is while the box runs: the log still holds the row.
        copies = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert WORD.encode() in b"".join(copies.values())
    for name in ("history.sqlite", "history.sqlite-wal"):
        (folder / name).write_bytes(copies[name])
    (folder / ".history.sqlite.unfinished").write_bytes(WORD.encode())
    with a_history(folder) as archive:
        assert found(folder, [WORD.encode()]) == []
        assert archive.page(ResultFilter(), cursor=None, limit=5).result(30).results == ()
