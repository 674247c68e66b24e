"""A backup is whole or is not there; a restore brings all back but what was erased."""

import shutil
import sqlite3
import threading

import pytest

from device.core.errors import HistoryError, HistoryFault
from device.core.ports import HistoryUse
from device.core.results import Annotation, ResultFilter
from device.history import backup as backup_module
from tests.builders import a_capture, a_history, a_spec, an_answer

pytestmark = pytest.mark.portable
FOLDER = __file__.rpartition("/")[0]


def numbers(archive):
    page = archive.page(ResultFilter(), cursor=None, limit=200).result(30)
    return [result.sequence for result in page.results][::-1]


def acts(archive):
    return [entry.act for entry in archive.audit_trail().result(30)]


@pytest.fixture
def copy(archive, record, tmp_path):
    """A backup of three results."""
    for _ in range(3):
        record()
    target = tmp_path / "copy.sqlite"
    archive.back_up(target, actor="t").result(30)
    return target


class TestBackup:
    def test_it_is_one_file_for_its_owner_alone_and_whole(self, copy):
        assert copy.stat().st_mode & 0o777 == 0o600
        assert [path.name for path in copy.parent.iterdir() if path.is_file()] == ["copy.sqlite"]
        connection = sqlite3.connect(copy)
        assert connection.execute("SELECT count(*) FROM result").fetchone() == (3,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()

    def test_a_file_that_is_there_is_left_alone(self, archive, record, tmp_path):
        record()
        target = tmp_path / "copy.sqlite"
        target.write_text("mine")
        with pytest.raises(HistoryError, match="give another name") as caught:
            archive.back_up(target, actor="t").result(30)
        assert caught.value.fault is HistoryFault.BACKUP
        assert target.read_text() == "mine"

    def test_a_place_that_cannot_be_written_is_told_and_breaks_nothing(self, archive, record):
        record()
        with pytest.raises(HistoryError, match=r"history \(backup\)"):
            archive.back_up(archive.path / "below" / "a-file", actor="t").result(30)
        assert archive.problem() is None
        assert record().startswith("00000002-")

    def test_a_copy_that_is_not_whole_is_not_named(self, archive, record, tmp_path, monkeypatch):
        record()
        real = backup_module._copy

        def damage(source, target):
            real(source, target)
            content = bytearray(target.read_bytes())
            content[4096 * 3 : 4096 * 3 + 200] = bytes(200)
            target.write_bytes(content)

        monkeypatch.setattr(backup_module, "_copy", damage)
        with pytest.raises(HistoryError, match="the copy was not used"):
            archive.back_up(tmp_path / "copy.sqlite", actor="t").result(30)
        assert [path.name for path in tmp_path.iterdir()] == ["state"]
        # It was the copy that was damaged.
        assert archive.problem() is None
        assert numbers(archive) == [1]


class TestRestore:
    def test_nobody_opens_the_database_meanwhile(self, archive, copy, monkeypatch):
        """Opening removes unfinished copies, and a box that followed would answer into the old."""

        def look():
            with a_history(archive.path.parent, use=HistoryUse.LOOK):
                pass

        waiting = []
        opener = threading.Thread(target=look)
        real = backup_module._carry_over

        def carry_over(live, prepared):
            opener.start()
            opener.join(0.3)
            waiting.append(opener.is_alive())
            real(live, prepared)

        monkeypatch.setattr(backup_module, "_carry_over", carry_over)
        assert archive.restore(copy, actor="t").result(30) == 3
        opener.join(30)
        assert waiting == [True]
        assert not opener.is_alive()

    def test_it_brings_back_what_there_was(self, archive, record, copy):
        before = archive.page(ResultFilter(), cursor=None, limit=9).result(30)
        record()
        assert archive.restore(copy, actor="t").result(30) == 3
        assert archive.page(ResultFilter(), cursor=None, limit=9).result(30) == before

    def test_numbers_go_on_where_they_were(self, archive, record, copy):
        record()
        archive.restore(copy, actor="t").result(30)
        assert record().startswith("00000005-")

    def test_the_box_goes_on_with_the_same_promises(self, archive, record, copy):
        archive.restore(copy, actor="t").result(30)
        record()
        connection = archive._connection
        found = archive._writer.submit(
            lambda: [
                connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
            ]
        ).result(30)
        assert found == ["wal", 2, 1, 1]

    def test_what_was_erased_since_stays_erased(self, archive, record, copy):
        doomed = archive.page(ResultFilter(), cursor=None, limit=9).result(30).results[1]
        archive.delete(doomed.id, actor="api").result(30)
        assert archive.restore(copy, actor="t").result(30) == 2
        assert numbers(archive) == [1, 3]
        secret = doomed.id.split("-")[1].encode()
        with sqlite3.connect(archive.path) as connection:
            connection.execute("DELETE FROM audit")
        connection.close()
        archive._writer.submit(archive._close).result(30)
        assert archive.problem() is None
        assert secret not in b"".join(path.read_bytes() for path in archive.path.parent.iterdir())

    def test_consent_that_was_withdrawn_since_stays_withdrawn(self, archive, record, tmp_path):
        result_id = record()
        archive.annotate(result_id, Annotation(consent=True), actor="api").result(30)
        archive.back_up(tmp_path / "copy.sqlite", actor="t").result(30)
        archive.annotate(result_id, Annotation(consent=False), actor="api").result(30)
        archive.restore(tmp_path / "copy.sqlite", actor="t").result(30)
        assert not archive.result(result_id).result(30).consent

    def test_what_nobody_remembers_is_told(self, copy, tmp_path, caplog):
        """A new card: what was erased since the backup is known to nobody."""
        other = a_history(tmp_path / "new")
        with other:
            other.restore(copy, actor="t").result(30)
        assert "event=history.trail_gone" in caplog.text

    def test_what_the_box_remembers_is_told_to_nobody(self, archive, record, copy, caplog):
        archive.delete(record(), actor="t").result(30)
        archive.restore(copy, actor="t").result(30)
        assert "event=history.trail_gone" not in caplog.text

    def test_the_trail_outlives_it(self, archive, record, copy):
        archive.delete(record(), actor="api").result(30)
        archive.restore(copy, actor="t").result(30)
        archive.restore(copy, actor="t").result(30)
        assert acts(archive) == ["backup", "delete", "restore", "restore"]

    def test_results_that_came_after_the_backup_are_gone_byte_by_byte(self, archive, record, copy):
        record(source="after-the-backup")
        archive.restore(copy, actor="t").result(30)
        files = list(archive.path.parent.iterdir())
        assert b"after-the-backup" not in b"".join(path.read_bytes() for path in files)

    @pytest.mark.parametrize("number", [1, 2, 3])
    def test_a_backup_of_an_earlier_schema_is_brought_to_this_one(
        self, archive, record, tmp_path, number
    ):
        old = tmp_path / "old.sqlite"
        connection = sqlite3.connect(old)
        with open(f"{FOLDER}/schema-{number}.sql") as script:  # noqa: PTH123 - a string is at hand
            connection.executescript(script.read())
        connection.close()
        before = old.read_bytes()
        assert archive.restore(old, actor="t").result(30) == 2
        assert archive.problem() is None
        assert record().startswith("00000003-")
        assert old.read_bytes() == before

    def test_into_a_box_that_has_nothing(self, copy, tmp_path):
        with a_history(tmp_path / "another") as archive:
            assert archive.restore(copy, actor="t").result(30) == 3
            assert numbers(archive) == [1, 2, 3]

    def test_pictures_come_back(self, tmp_path):
        with a_history(tmp_path / "state") as archive:
            archive.keep_pictures(a_spec(), longest_px=256, max_pixels=10**6)
            result_id = archive.record(a_capture(), an_answer()).result_id
            picture = archive.picture(result_id).result(30)
            archive.back_up(tmp_path / "copy.sqlite", actor="t").result(30)
        shutil.rmtree(tmp_path / "state")
        with a_history(tmp_path / "state") as archive:
            archive.restore(tmp_path / "copy.sqlite", actor="t").result(30)
            assert archive.picture(result_id).result(30) == picture

    @pytest.mark.parametrize(
        "wrong", ["missing", "text", "empty", "cut", "foreign", "newer", "bits"]
    )
    def test_what_is_no_whole_backup_changes_nothing(self, archive, record, copy, wrong):
        record()
        source = copy.with_name("wrong.sqlite")
        content = copy.read_bytes()
        if wrong == "text":
            source.write_bytes(b"not a database at all, but long enough to be read" * 20)
        elif wrong == "empty":
            source.write_bytes(b"")
        elif wrong == "cut":
            source.write_bytes(content[: len(content) // 2 // 4096 * 4096])
        elif wrong == "bits":
            source.write_bytes(content[: 4096 * 3] + bytes(200) + content[4096 * 3 + 200 :])
        elif wrong != "missing":
            source.write_bytes(content)
            with sqlite3.connect(source) as connection:
                if wrong == "newer":
                    connection.execute("INSERT INTO migration VALUES (1000, 'future', 0)")
                else:
                    connection.execute("PRAGMA application_id = 7")
            connection.close()
        with pytest.raises(HistoryError, match=r"history \(backup\)"):
            archive.restore(source, actor="t").result(30)
        assert archive.problem() is None
        assert numbers(archive) == [1, 2, 3, 4]
        assert "restore" not in acts(archive)
        assert list(archive.path.parent.glob("*damaged*")) == []
        assert list(archive.path.parent.glob(".*")) == []
