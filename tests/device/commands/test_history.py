"""``python -m device history``: what the box remembers, on the command line."""

import csv
import json
import os
import subprocess
import sys

import pytest

from device import cli
from device.core.ports import HistoryUse
from device.core.results import Annotation, ResultFilter
from tests.builders import a_capture, a_history, a_spec, an_answer

pytestmark = pytest.mark.portable


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGEDERM_HISTORY__PATH", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def ids(folder):
    """Of three kept results: two of patient P-1, one by upload, all with a picture."""
    with a_history(folder) as archive:
        archive.keep_pictures(a_spec(), longest_px=256, max_pixels=10**6)
        made = [
            archive.record(a_capture(), an_answer(source=source)).result_id
            for source in ("replay", "replay", "upload")
        ]
        changes = Annotation(patient_reference="P-1", confirmed_diagnosis="NV", consent=True)
        for result_id in made[:2]:
            archive.annotate(result_id, changes, actor="t").result(30)
    return made


@pytest.fixture
def run(capsys):
    """Run a verb below history; returns its lines as objects."""

    def run(*arguments):
        assert cli.main(["history", *map(str, arguments)]) == 0
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return run


@pytest.fixture
def complaint(capsys):
    """Run a verb that fails; returns what it says."""

    def complaint(*arguments):
        assert cli.main(["history", *map(str, arguments)]) == 1
        captured = capsys.readouterr()
        assert captured.out == ""
        return captured.err

    return complaint


def test_list_prints_the_newest_first(ids, run):
    assert [line["id"] for line in run("list")] == ids[::-1]
    assert [line["id"] for line in run("list", "--limit", 2)] == ids[:0:-1]


def test_list_goes_over_pages(ids, run, monkeypatch):
    monkeypatch.setattr("device.commands.history.MOST_RESULTS", 1)
    assert [line["id"] for line in run("list", "--limit", 2)] == ids[:0:-1]
    assert [line["id"] for line in run("list")] == ids[::-1]


def test_list_filters(ids, run):
    assert [line["id"] for line in run("list", "--source", "upload")] == ids[2:]
    found = run("list", "--patient-reference", "P-1", "--captured-from", "2000-01-01T00:00:00Z")
    assert [line["id"] for line in found] == ids[1::-1]


def test_a_filter_that_is_not_understood_is_named(ids, complaint):
    told = complaint("list", "--result", "fine", "--captured-from", "noon")
    assert "--result: " in told
    assert "--captured-from: " in told


def test_show_prints_one(ids, capsys):
    assert cli.main(["history", "show", ids[0]]) == 0
    assert json.loads(capsys.readouterr().out)["id"] == ids[0]


def test_delete_erases_one_and_says_so_in_the_trail(ids, run, complaint):
    assert run("delete", ids[1]) == [{"erased": ids[1]}]
    assert [line["id"] for line in run("list")] == [ids[2], ids[0]]
    entry = run("audit")[-1]
    assert (entry["act"], entry["subject"], entry["actor"]) == ("delete", ids[1], "command line")
    assert "may have been erased" in complaint("show", ids[1])


def test_export_writes_a_table(ids, run, tmp_path, capsys, complaint):
    assert run("export", tmp_path / "table.csv", "--source", "replay") == []
    with (tmp_path / "table.csv").open(newline="") as table:
        assert [row["id"] for row in csv.DictReader(table)] == ids[1::-1]
    assert "expected to write a new file" in complaint("export", tmp_path / "table.csv")
    assert cli.main(["history", "export"]) == 0
    assert capsys.readouterr().out.count("\r\n") == 4
    assert [entry["act"] for entry in run("audit")].count("export table") == 3


def test_export_writes_a_data_set(ids, run, tmp_path, complaint):
    folder = tmp_path / "set"
    assert run("export", "--dataset", folder) == [{"dataset": str(folder), "pictures": 2}]
    assert len(list(folder.glob("set_images_part_1/*.jpg"))) == 2
    assert "takes no filter" in complaint("export", "--dataset", folder, "--source", "upload")


def test_backup_and_restore(ids, run, tmp_path, folder):
    copy = tmp_path / "copy.sqlite"
    (told,) = run("backup", copy)
    assert told == {"backup": str(copy), "bytes": copy.stat().st_size}
    run("delete", ids[0])
    assert run("restore", copy) == [{"restored": str(copy), "results": 2}]
    for path in folder.iterdir():
        path.unlink()
    assert run("restore", copy) == [{"restored": str(copy), "results": 3}]
    assert [line["id"] for line in run("list")] == ids[::-1]


def test_prune_says_how_many_went(ids, run, monkeypatch):
    assert run("prune") == [{"erased": 0}]


def test_it_works_while_the_box_runs(ids, run, folder):
    with a_history(folder) as archive:
        newest = archive.record(a_capture(), an_answer()).result_id
        assert run("list", "--limit", 1)[0]["id"] == newest
        run("delete", newest)
        assert archive.record(a_capture(), an_answer()).result_id.startswith("00000005-")


def test_a_box_that_runs_follows_a_restore_of_a_damaged_history(folder, tmp_path):
    """Found by the command and not yet by the box, which has the pages in its memory."""
    with a_history(folder) as archive:
        for _ in range(40):
            archive.record(a_capture(), an_answer())
        archive.back_up(tmp_path / "copy.sqlite", actor="t").result(30)
    with a_history(folder) as box:
        box.record(a_capture(), an_answer(source="before-the-restore"))
        with box.path.open("r+b") as file:
            for page in range(4, 12):
                file.seek(page * 4096)
                file.write(os.urandom(64))
        # In a process of its own, as people do: locks and files of one process are shared.
        words = [sys.executable, "-m", "device", "history", "restore", tmp_path / "copy.sqlite"]
        subprocess.run(words, check=True, timeout=120)
        (aside,) = folder.glob("history.sqlite.damaged-*Z")
        after = box.record(a_capture(), an_answer(source="after-the-restore")).result_id
        assert box.problem() is None
        assert len(box.page(ResultFilter(), cursor=None, limit=99).result(30).results) == 41
    assert list(folder.glob("history.sqlite.damaged-*Z")) == [aside]
    kept = b"".join(path.read_bytes() for path in folder.glob(f"{aside.name}*"))
    assert b"before-the-restore" in kept
    with a_history(folder, use=HistoryUse.LOOK) as archive:
        assert archive.result(after).result(30).source == "after-the-restore"
        assert len(archive.page(ResultFilter(), cursor=None, limit=99).result(30).results) == 41


def test_without_a_history_it_makes_none(complaint, folder):
    assert "history (missing)" in complaint("list")
    assert not folder.exists()
