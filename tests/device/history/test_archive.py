"""The history as the box sees it: what was recorded is there, and a storage that fails is told."""

import gc
import os
import sqlite3
import threading
import time
from concurrent.futures import TimeoutError as FutureTimeoutError
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from device.core.document import AnswerDocument
from device.core.errors import BusyError, HistoryError, HistoryFault, ResultNotFoundError
from device.core.manifest import DIAGNOSES
from device.core.ports import HistoryUse
from device.core.results import Annotation, ResultFilter
from device.core.values import Decision, ModelIdentity, QualityReport, Reason, Result
from device.history import archive as archive_module
from device.history import database, store
from tests.builders import a_capture, a_history, a_spec, an_answer

pytestmark = pytest.mark.portable

share = st.floats(0, 1)
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
answers = st.builds(
    an_answer,
    decision=st.builds(
        Decision,
        result=st.sampled_from(Result),
        probability_malignant=share,
        diagnoses=st.fixed_dictionaries(dict.fromkeys(DIAGNOSES, share)),
        reasons=st.lists(st.builds(Reason, code=text, text=text), max_size=3).map(tuple),
        novelty=st.floats(0, 1e6),
    ),
    quality=st.builds(
        QualityReport,
        brightness=share,
        saturated_share=share,
        contrast=share,
        sharpness=st.floats(0, 1e6),
        softness=share,
        line_share=st.floats(0, 2),
        glare_share=share,
        middle_contrast=st.floats(0, 1e3),
        outline_outside=share,
    ),
    model=st.builds(ModelIdentity, name=text, version=text, sha256=text),
    source=text,
    captured_at=st.datetimes(timezones=st.just(UTC)),
    activation_map_HW=arrays(
        np.float32, array_shapes(min_dims=2, max_dims=2, max_side=9), elements={"allow_nan": False}
    ),
    stage_ns=st.dictionaries(text, st.integers(0, 10**12), max_size=4),
)


@given(answer=answers)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_what_was_answered_is_read_back_as_it_was(archive, answer):
    """Every word and every bit, the map included."""
    recorded = archive.record(a_capture(), answer)
    told = AnswerDocument.from_answer(recorded).model_dump(mode="json")
    kept = archive.result(recorded.result_id).result(30).model_dump(mode="json")
    assert told.items() <= kept.items()
    assert kept["clock_trusted"]
    assert kept["software_version"] == "0.1.0"
    with database.reading(archive.path) as connection:
        map_HW = store.map_of(connection, kept["sequence"])
    np.testing.assert_array_equal(map_HW, answer.activation_map_HW)
    assert map_HW.dtype == np.float32


def test_results_are_numbered_in_their_order_and_ids_sort_like_them(record):
    ids = [record() for _ in range(12)]
    assert ids == sorted(ids)
    assert [int(result_id.split("-")[0]) for result_id in ids] == list(range(1, 13))
    assert len({result_id.split("-")[1] for result_id in ids}) == 12


def test_a_number_is_never_given_twice(archive, record):
    first, last = record(), record()
    archive.delete(last, actor="api").result(30)
    archive.delete(first, actor="api").result(30)
    assert record().startswith("00000003-")


def test_an_id_with_another_secret_names_nothing(archive, record):
    result_id = record()
    guessed = f"{result_id[:-1]}{'a' if result_id[-1] != 'a' else 'b'}"
    for wrong in (guessed, "00000001", "", "x" * 99, "00000001-\x00", result_id.upper()):
        with pytest.raises(ResultNotFoundError):
            archive.result(wrong).result(30)


def test_a_row_says_whether_the_clock_was_trusted(tmp_path):
    with a_history(tmp_path, is_clock_trusted=lambda: False) as archive:
        result_id = archive.record(a_capture(), an_answer()).result_id
        assert not archive.result(result_id).result(30).clock_trusted


def test_folder_and_files_are_for_their_owner_alone(archive, record):
    record()
    assert archive.path.parent.stat().st_mode & 0o777 == 0o700
    files = list(archive.path.parent.iterdir())
    assert {path.name for path in files} == {
        "history.sqlite",
        "history.sqlite-wal",
        "history.sqlite-shm",
    }
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


def test_a_file_that_others_could_read_is_closed_to_them(tmp_path):
    with a_history(tmp_path) as archive:
        pass
    archive.path.chmod(0o644)
    with a_history(tmp_path):
        assert archive.path.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may hand a file to another user")
def test_what_root_makes_in_the_folder_of_the_service_belongs_to_the_service(tmp_path):
    """Such as a restore with sudo; the box could not open its own history else."""
    folder = tmp_path / "state"
    folder.mkdir()
    os.chown(folder, 12345, 12345)
    with a_history(folder) as archive:
        archive.record(a_capture(), an_answer())
        files = list(folder.iterdir())
        assert len(files) == 3
        assert {(path.stat().st_uid, path.stat().st_gid) for path in files} == {(12345, 12345)}


class TestAnnotations:
    def test_members_that_were_stated_are_set_and_the_others_stay(self, archive, record):
        result_id = record()
        first = Annotation(note="a", patient_reference="P-1", consent=True)
        archive.annotate(result_id, first, actor="api").result(30)
        second = Annotation(note=None, confirmed_diagnosis="NV", diagnosis_confirm_type="histo")
        changed = archive.annotate(result_id, second, actor="api").result(30)
        assert (changed.note, changed.patient_reference, changed.consent) == (None, "P-1", True)
        assert (changed.confirmed_diagnosis, changed.diagnosis_confirm_type) == ("NV", "histo")
        assert archive.result(result_id).result(30) == changed

    def test_what_was_answered_stays(self, archive, record):
        result_id = record()
        before = archive.result(result_id).result(30)
        changes = Annotation(note="a", lesion_reference="arm", consent=True)
        after = archive.annotate(result_id, changes, actor="api").result(30)
        assert after == before.model_copy(
            update={"note": "a", "lesion_reference": "arm", "consent": True}
        )

    def test_only_a_change_of_consent_stands_in_the_trail(self, archive, record):
        result_id = record()
        for consent in (True, True, False):
            changes = Annotation(note="a", consent=consent)
            archive.annotate(result_id, changes, actor="api").result(30)
        archive.annotate(result_id, Annotation(), actor="api").result(30)
        trail = archive.audit_trail().result(30)
        assert [(entry.act, entry.subject, entry.actor) for entry in trail] == [
            ("consent given", result_id, "api"),
            ("consent withdrawn", result_id, "api"),
        ]

    def test_a_result_that_is_not_there_is_not_annotated(self, archive):
        with pytest.raises(ResultNotFoundError):
            archive.annotate("00000009-aaaaaaaaaaaaaaaa", Annotation(note="a"), actor="api").result(
                5
            )


def test_deleting_twice_says_that_there_is_nothing(archive, record):
    result_id = record()
    archive.delete(result_id, actor="api").result(30)
    with pytest.raises(ResultNotFoundError, match="may have been erased"):
        archive.delete(result_id, actor="api").result(30)
    assert [entry.act for entry in archive.audit_trail().result(30)] == ["delete"]


class TestDamage:
    @pytest.fixture
    def state(self, tmp_path):
        """The folder of a history with some results, closed."""
        with a_history(tmp_path) as archive:
            for _ in range(40):
                archive.record(a_capture(), an_answer())
        return tmp_path

    def test_what_is_no_database_is_moved_aside_with_a_word_in_log_and_trail(
        self, tmp_path, caplog
    ):
        (tmp_path / "history.sqlite").write_bytes(b"this is no database" * 100)
        with a_history(tmp_path) as archive:
            assert archive.record(a_capture(), an_answer()).result_id.startswith("00000001-")
            (entry,) = archive.audit_trail().result(30)
        (aside,) = tmp_path.glob("history.sqlite.damaged-*")
        assert (entry.act, entry.subject, entry.actor) == ("damaged", aside.name, "box")
        assert aside.read_bytes().startswith(b"this is no database")
        assert "event=history.damaged" in caplog.text

    def test_a_page_that_was_overwritten_is_found_at_the_start(self, state):
        path = state / "history.sqlite"
        content = bytearray(path.read_bytes())
        for page in range(4, len(content) // 4096):
            content[page * 4096 : page * 4096 + 64] = os.urandom(64)
        path.write_bytes(content)
        with a_history(state) as archive:
            assert archive.problem() is None
            assert archive.page(ResultFilter(), cursor=None, limit=5).result(30).results == ()
        assert len(list(state.glob("history.sqlite.damaged-*"))) == 1

    def test_one_that_breaks_while_the_box_runs_costs_one_answer(self, tmp_path, monkeypatch):
        broken = []
        real = store.insert

        def insert(connection, row, picture):
            if not broken:
                broken.append(1)
                raise sqlite3.DatabaseError("database disk image is malformed")
            return real(connection, row, picture)

        monkeypatch.setattr(store, "insert", insert)
        with a_history(tmp_path) as archive:
            with pytest.raises(HistoryError, match=r"history \(damaged\): .*restore") as caught:
                archive.record(a_capture(), an_answer())
            assert caught.value.fault is HistoryFault.DAMAGED
            assert archive.record(a_capture(), an_answer()).result_id.startswith("00000001-")
        assert len(list(tmp_path.glob("history.sqlite.damaged-*"))) == 1

    def test_two_in_one_second_are_both_kept(self, tmp_path):
        now = datetime(2026, 3, 1, tzinfo=UTC)
        for _ in range(2):
            (tmp_path / "history.sqlite").write_bytes(b"no database" * 100)
            with a_history(tmp_path, now=lambda: now):
                pass
        assert sorted(path.name for path in tmp_path.glob("*.damaged-*")) == [
            "history.sqlite.damaged-20260301T000000Z",
            "history.sqlite.damaged-20260301T000000Z-2",
        ]

    @pytest.mark.parametrize("use", [HistoryUse.LOOK, HistoryUse.NOTE])
    def test_who_looks_or_notes_moves_nothing(self, tmp_path, use):
        (tmp_path / "history.sqlite").write_bytes(b"no database" * 100)
        with pytest.raises(HistoryError, match="damaged"), a_history(tmp_path, use=use):
            pass
        assert [path.name for path in tmp_path.iterdir()] == ["history.sqlite"]

    def test_damage_found_by_who_notes_moves_nothing_with_the_next_note(
        self, tmp_path, monkeypatch
    ):
        real = store.audit
        faults = [sqlite3.DatabaseError("database disk image is malformed")]

        def audit(*arguments):
            if faults:
                raise faults.pop()
            real(*arguments)

        monkeypatch.setattr(store, "audit", audit)
        with a_history(tmp_path, use=HistoryUse.NOTE) as archive:
            with pytest.raises(HistoryError, match="damaged"):
                archive.note("token added", "x", actor="t").result(30)
            archive.note("token added", "x", actor="t").result(30)
        assert [path.name for path in tmp_path.iterdir()] == ["history.sqlite"]

    def test_one_that_was_moved_away_under_the_box_is_followed(self, archive, record, caplog):
        before = record(source="before")
        aside = database.move_aside(archive.path, datetime.now(UTC))
        after = record(source="after")
        assert "event=history.followed" in caplog.text
        assert archive.result(after).result(30).source == "after"
        archive.__exit__(None, None, None)
        for path, source in ((archive.path, "after"), (aside, "before")):
            with database.reading(path) as connection:
                found = connection.execute("SELECT source FROM result").fetchall()
            assert found == [(source,)]
        assert before != after

    def test_one_that_took_the_place_of_a_damaged_one_is_not_moved(self, tmp_path, monkeypatch):
        real = store.insert
        faults = [sqlite3.DatabaseError("database disk image is malformed")]

        def insert(*arguments):
            if faults:
                raise faults.pop()
            return real(*arguments)

        with a_history(tmp_path) as box:
            monkeypatch.setattr(store, "insert", insert)
            with pytest.raises(HistoryError, match="damaged"):
                box.record(a_capture(), an_answer())
            database.move_aside(box.path, datetime.now(UTC))
            with a_history(tmp_path, use=HistoryUse.RESTORE) as other:
                other.record(a_capture(), an_answer())
            assert box.record(a_capture(), an_answer()).result_id.startswith("00000002-")
        assert len(list(tmp_path.glob("history.sqlite.damaged-*Z"))) == 1

    def test_while_another_program_moves_it_nobody_opens_one(self, archive):
        with database.alone(archive.path):
            database.move_aside(archive.path, datetime.now(UTC))
            noted = archive.note("token added", "x", actor="t")
            with pytest.raises(FutureTimeoutError):
                noted.result(0.2)
            assert not archive.path.exists()
        noted.result(30)
        assert [entry.act for entry in archive.audit_trail().result(30)] == ["token added"]


class TestStorageThatFails:
    def test_a_folder_that_cannot_be_made_stops_no_box_but_every_answer(self, tmp_path, caplog):
        (tmp_path / "file").write_text("in the way")
        with a_history(tmp_path / "file" / "state") as archive:
            with pytest.raises(HistoryError) as caught:
                archive.record(a_capture(), an_answer())
            assert caught.value.fault is HistoryFault.STORAGE
            assert "history.path" in archive.problem()
        assert "event=history.unusable" in caplog.text

    def test_it_works_again_when_the_storage_does(self, tmp_path):
        (tmp_path / "state").write_text("in the way")
        with a_history(tmp_path / "state") as archive:
            assert archive.problem() is not None
            (tmp_path / "state").unlink()
            assert archive.problem() is None
            assert archive.record(a_capture(), an_answer()).result_id

    def test_with_too_little_room_nothing_is_recorded_and_erasing_works(
        self, archive, record, monkeypatch
    ):
        result_id = record()
        monkeypatch.setattr(database, "RESERVE_BYTES", 2**62)
        with pytest.raises(HistoryError, match=r"history \(full\)"):
            record()
        assert "full" in archive.problem()
        archive.delete(result_id, actor="api").result(30)
        assert archive.page(ResultFilter(), cursor=None, limit=5).result(30).results == ()

    def test_a_newer_database_is_refused_and_left_alone(self, tmp_path):
        with a_history(tmp_path) as archive:
            pass
        with sqlite3.connect(archive.path) as connection:
            connection.execute("INSERT INTO migration VALUES (1000, 'from the future', 0)")
        connection.close()
        before = archive.path.read_bytes()
        with a_history(tmp_path) as archive:
            assert "expected schema 3 or older, found 1000" in archive.problem()
        assert archive.path.read_bytes() == before
        assert list(tmp_path.glob("*damaged*")) == []

    def test_another_programs_database_is_refused_and_left_alone(self, tmp_path):
        path = tmp_path / "history.sqlite"
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE recipes (name TEXT)")
        connection.close()
        before = path.read_bytes()
        with a_history(tmp_path) as archive:
            assert "another program's database" in archive.problem()
        assert path.read_bytes() == before

    def test_a_database_that_another_program_writes_is_waited_for_and_then_told(
        self, archive, record, monkeypatch
    ):
        record()
        # Opened again with less patience than five seconds.
        monkeypatch.setattr(database, "_LOCK_WAIT_S", 0.05)
        archive._writer.submit(archive._close).result(30)
        other = sqlite3.connect(archive.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(HistoryError, match=r"history \(locked\)"):
            record()
        other.execute("ROLLBACK")
        other.close()
        assert record().startswith("00000002-")

    def test_a_commit_that_does_not_end_gives_no_answer(self, archive, record, monkeypatch):
        monkeypatch.setattr(archive_module, "_COMMIT_S", 0.02)
        gate = threading.Event()
        archive._writer.submit(lambda: gate.wait(30))
        with pytest.raises(HistoryError, match="may be worn out"):
            record()
        assert "does not answer" in archive.problem()
        gate.set()
        monkeypatch.setattr(archive_module, "_COMMIT_S", 15.0)
        assert record().startswith("00000001-")

    def test_while_the_queue_is_full_the_last_verdict_stands(self, archive, record):
        gate, started = threading.Event(), threading.Event()
        archive._writer.submit(lambda: (started.set(), gate.wait(30)))
        assert started.wait(30)
        for _ in range(archive_module._WAITING):
            archive._writer.submit(lambda: None)
        assert archive.problem() is None
        with pytest.raises(BusyError):
            record()
        gate.set()

    def test_a_mistake_of_ours_is_no_failure_of_the_storage(self, archive, monkeypatch):
        monkeypatch.setattr(
            store, "insert", lambda *_: (_ for _ in ()).throw(sqlite3.IntegrityError("CHECK"))
        )
        with pytest.raises(sqlite3.IntegrityError):
            archive.record(a_capture(), an_answer())

    def test_who_notes_makes_one(self, tmp_path):
        with a_history(tmp_path, use=HistoryUse.NOTE) as archive:
            archive.note("token added", "x", actor="t").result(30)
            assert [entry.subject for entry in archive.audit_trail().result(30)] == ["x"]

    def test_the_command_line_makes_no_database(self, tmp_path):
        with (
            pytest.raises(HistoryError, match=r"history \(missing\)"),
            a_history(tmp_path, use=HistoryUse.LOOK),
        ):
            pass
        assert list(tmp_path.iterdir()) == []


class TestTidying:
    def test_the_log_is_copied_into_the_database_while_nobody_waits(
        self, archive, record, monkeypatch
    ):
        monkeypatch.setattr(archive_module, "_LOG_BYTES", 10 * archive_module._ROW_BYTES)
        before = archive.path.stat().st_size
        for _ in range(10):
            record()
        archive._writer.submit(lambda: None).result(30)
        assert archive.path.stat().st_size > before

    def test_what_is_too_old_goes_when_the_box_starts(self, tmp_path):
        now = [datetime(2026, 3, 1, tzinfo=UTC)]
        with a_history(tmp_path, now=lambda: now[0]) as archive:
            for day in range(5):
                archive.record(a_capture(), an_answer(captured_at=now[0] + timedelta(days=day)))
        now[0] += timedelta(days=10)
        with a_history(tmp_path, now=lambda: now[0], keep_days=8) as archive:
            for _ in range(3):  # One batch after another, each planned by the one before.
                archive._writer.submit(lambda: None).result(30)
            page = archive.page(ResultFilter(), cursor=None, limit=9).result(30)
        assert [result.sequence for result in page.results] == [5, 4, 3]

    def test_only_the_box_tidies(self, tmp_path):
        long_ago = datetime(2020, 1, 1, tzinfo=UTC)
        with a_history(tmp_path, keep_days=0) as archive:
            for _ in range(3):
                archive.record(a_capture(), an_answer(captured_at=long_ago))
        for use in HistoryUse:  # The box is the last.
            with a_history(tmp_path, use=use) as archive:
                assert archive.problem() is None
                for _ in range(3):  # One batch after another, each planned by the one before.
                    archive._writer.submit(lambda: None).result(30)
                page = archive.page(ResultFilter(), cursor=None, limit=9).result(30)
            assert len(page.results) == (0 if use is HistoryUse.BOX else 3)

    def test_pruning_by_hand_takes_all_batches(self, tmp_path):
        now = datetime(2026, 3, 1, tzinfo=UTC)
        with a_history(tmp_path, keep_days=0) as archive:
            for _ in range(100):
                archive.record(a_capture(), an_answer(captured_at=now))
        with a_history(tmp_path, keep_days=1, use=HistoryUse.LOOK) as archive:
            assert archive.prune().result(30) == 100
            assert archive.page(ResultFilter(), cursor=None, limit=9).result(30).results == ()

    def test_an_erasure_that_a_reader_holds_up_is_told_and_tried_again(
        self, archive, record, monkeypatch
    ):
        result_id = record(source="a-word-to-find")
        monkeypatch.setattr(database, "_LOCK_WAIT_S", 0.05)
        archive._writer.submit(archive._close).result(30)
        reader = sqlite3.connect(archive.path, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM result").fetchone()
        with pytest.raises(HistoryError, match="stays in the log"):
            archive.delete(result_id, actor="api").result(30)
        reader.execute("ROLLBACK")
        reader.close()
        monkeypatch.setattr(archive_module, "_ERASE_AGAIN_S", 0.0)
        assert archive.problem() is None
        archive._writer.submit(lambda: None).result(30)
        assert b"a-word-to-find" not in b"".join(
            path.read_bytes() for path in archive.path.parent.iterdir()
        )

    def test_tidying_that_fails_is_a_line_in_the_log(self, archive, record, monkeypatch, caplog):
        def fail(*_, **__):
            raise sqlite3.OperationalError("disk I/O error")

        monkeypatch.setattr(archive_module, "prune", fail)
        monkeypatch.setattr(archive_module, "_LOG_BYTES", 1)
        record()
        archive._writer.submit(lambda: None).result(30)
        assert "event=history.not_tidied" in caplog.text


def test_a_picture_that_is_kept_can_be_had_and_one_that_is_not_cannot(tmp_path):
    with a_history(tmp_path) as archive:
        archive.keep_pictures(a_spec(), longest_px=256, max_pixels=10**6)
        result_id = archive.record(a_capture(), an_answer()).result_id
        assert archive.result(result_id).result(30).has_picture
        assert archive.picture(result_id).result(30).startswith(b"\xff\xd8")
        assert archive.thumbnail(result_id).result(30).startswith(b"\xff\xd8")


def test_no_file_stays_open(tmp_path):
    def open_files():
        gc.collect()
        return len(list(Path("/proc/self/fd").iterdir()))

    def use():
        with a_history(tmp_path / "state") as archive:
            archive.keep_pictures(a_spec(), longest_px=256, max_pixels=10**6)
            ids = [archive.record(a_capture(), an_answer()).result_id for _ in range(3)]
            for ask in (archive.result, archive.picture, archive.heatmap):
                ask(ids[0]).result(30)
            archive.page(ResultFilter(), cursor=None, limit=5).result(30)
            archive.delete(ids[1], actor="api").result(30)
            with pytest.raises(ResultNotFoundError):
                archive.result(ids[1]).result(30)
            archive.back_up(tmp_path / f"{time.monotonic_ns()}.sqlite", actor="t").result(30)

    use()
    before = open_files()
    for _ in range(5):
        use()
    assert open_files() == before


def test_leaving_twice_is_leaving_once(tmp_path):
    archive = a_history(tmp_path)
    with archive:
        pass
    archive.__exit__(None, None, None)
    assert [path.name for path in tmp_path.iterdir()] == ["history.sqlite"]
