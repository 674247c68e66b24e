"""A process that is killed loses no answer that it gave; a full disk gives none, nor breaks."""

import contextlib
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from device.core.errors import HistoryError, HistoryFault
from device.core.results import ResultFilter
from device.history import database
from tests.builders import a_capture, a_history, a_spec, an_answer

pytestmark = pytest.mark.portable
ROOT = Path(__file__).parents[3]

WRITE = """
import sys
from pathlib import Path
from device.core.results import Annotation
from tests.builders import a_capture, a_history, a_spec, an_answer

with a_history(Path(sys.argv[1])) as archive:
    if "pictures" in sys.argv:
        archive.keep_pictures(a_spec(), longest_px=256, max_pixels=10**6)
    ids = []
    while True:
        ids.append(archive.record(a_capture(), an_answer()).result_id)
        print(ids[-1], flush=True)
        if len(ids) % 7 == 0:
            print("erasing", ids[-3], flush=True)
            archive.delete(ids[-3], actor="t").result(30)
            print("erased", ids[-3], flush=True)
"""


def writer(folder, *arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-c", WRITE, str(folder), *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


@pytest.mark.parametrize("after", [1, 8, 20])
def test_a_writer_that_is_killed_loses_no_answer_that_it_gave(tmp_path, after):
    with writer(tmp_path, "pictures") as process:
        told = [process.stdout.readline().split() for _ in range(after)]
        time.sleep(0.003 * after)  # Into the middle of whatever comes next.
        process.send_signal(signal.SIGKILL)
        # The last line may be cut; a whole one counts: it may announce an erasure.
        rest = process.stdout.read().splitlines(keepends=True)
        told += [line.split() for line in rest if line.endswith("\n")]
    given = {words[0] for words in told if len(words) == 1}
    erasing = {words[1] for words in told if words[0] == "erasing"}
    erased = {words[1] for words in told if words[0] == "erased"}
    with a_history(tmp_path) as archive:
        page = archive.page(ResultFilter(), cursor=None, limit=200).result(30)
        there = {result.id for result in page.results}
        assert given - erasing <= there
        assert not erased & there
        # Nor is anything half there.
        assert all(result.has_picture for result in page.results)
        assert all(archive.picture(result.id).result(30)[-2:] == b"\xff\xd9"
                   for result in page.results)  # fmt: skip
    assert list(tmp_path.glob("*damaged*")) == []
    connection = sqlite3.connect(tmp_path / "history.sqlite")
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()


def test_a_file_that_may_not_grow_gives_no_answer_and_nothing_half_written(tmp_path):
    """The system refuses bytes in the middle of a transaction, as a full disk does."""

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    with writer(tmp_path, "pictures", preexec_fn=limit) as process:
        told, complaint = process.communicate(timeout=60)
    assert "HistoryError: history (" in complaint
    given = {line for line in told.splitlines() if " " not in line}
    erasing = {line.split()[1] for line in told.splitlines() if line.startswith("erasing")}
    assert given
    with a_history(tmp_path) as archive:
        page = archive.page(ResultFilter(), cursor=None, limit=200).result(30)
        # It may have been an erasure that was not given room; nothing else is open.
        assert given - erasing <= {result.id for result in page.results} <= given
        assert archive.problem() is None
    assert list(tmp_path.glob("*damaged*")) == []


@contextlib.contextmanager
def small_disk(folder, size):
    """A file system of so many bytes."""
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip("only root may mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(archive):
    """Record until that is refused; returns the ids given."""
    given = []
    pixels_HWC = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)

    def record():
        while len(given) < 500:
            given.append(archive.record(a_capture(pixels_HWC), an_answer()).result_id)

    with pytest.raises(HistoryError) as caught:
        record()
    assert caught.value.fault is HistoryFault.FULL
    return given


def ids(archive):
    page = archive.page(ResultFilter(), cursor=None, limit=200).result(30)
    return [result.id for result in page.results][::-1]


def test_a_disk_that_is_full_to_the_last_byte_gives_no_answer(tmp_path, monkeypatch):
    monkeypatch.setattr(database, "RESERVE_BYTES", 0)
    monkeypatch.setattr(database, "LEAST_FREE_BYTES", 0)
    with small_disk(tmp_path / "disk", 2**21) as folder:
        with a_history(folder) as archive:
            archive.keep_pictures(a_spec(), longest_px=256, max_pixels=10**6)
            given = fill(archive)
            assert len(given) > 5
            assert ids(archive) == given
        with a_history(folder) as archive:
            assert ids(archive) == given
        connection = sqlite3.connect(folder / "history.sqlite")
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()


def test_a_disk_that_the_history_filled_has_room_again_once_results_were_erased(tmp_path):
    with small_disk(tmp_path / "disk", 8 * 2**20) as folder, a_history(folder) as archive:
        archive.keep_pictures(a_spec(), longest_px=256, max_pixels=10**6)
        given = fill(archive)
        assert "history (full)" in archive.problem()
        for result_id in given[::2]:
            archive.delete(result_id, actor="t").result(30)
        assert archive.problem() is None
        more = [archive.record(a_capture(), an_answer()).result_id for _ in range(20)]
        assert ids(archive) == given[1::2] + more
