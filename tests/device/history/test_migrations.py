"""Every earlier schema comes to the newest one, whole, and a step that fails leaves no trace."""

import sqlite3
from pathlib import Path

import pytest

from device.core.results import ResultFilter
from device.history.database import FILE_NAME
from device.history.migrations import MIGRATIONS, Migration, migrate, schema_of
from tests.builders import a_capture, a_history, an_answer

pytestmark = pytest.mark.portable
FOLDER = Path(__file__).parent


def database_of_schema(number, folder):
    """A database as the software of that schema left it: two results, the second annotated."""
    folder.mkdir(exist_ok=True)
    connection = sqlite3.connect(folder / FILE_NAME)
    connection.executescript((FOLDER / f"schema-{number}.sql").read_text(encoding="utf-8"))
    connection.close()
    return folder


def schema(path):
    """Every table and index, as it was made."""
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall()
    connection.close()
    return rows


def test_steps_are_numbered_from_one_without_a_gap():
    assert [step.number for step in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))


@pytest.mark.parametrize("step", MIGRATIONS, ids=lambda step: step.name)
def test_a_database_of_each_schema_is_kept_and_comes_to_the_newest(step, tmp_path):
    folder = database_of_schema(step.number, tmp_path / "old")
    with a_history(folder) as archive:
        assert archive.problem() is None
        second, first = archive.page(ResultFilter(), cursor=None, limit=9).result(30).results
        assert (first.sequence, first.clock_trusted, first.note) == (1, False, None)
        assert second.id == "00000002-abcdefghijklmnoq"
        assert (second.note, second.patient_reference, second.consent) == ("remember", "P-1", True)
        assert second.quality["sharpness"] == 0.02
        assert archive.heatmap(first.id).result(30).startswith(b"\x89PNG")
        if step.number >= 2:
            assert archive.picture(second.id).result(30) == b"\xff\xd8large"
        if step.number >= 3:
            assert archive.audit_trail().result(30)[0].act == "consent given"
        assert archive.record(a_capture(), an_answer()).result_id.startswith("00000003-")
    with a_history(tmp_path / "new"):
        pass
    assert schema(folder / FILE_NAME) == schema(tmp_path / "new" / FILE_NAME)


def open_memory():
    return sqlite3.connect(":memory:", isolation_level=None)


def test_a_step_and_its_record_come_together_or_not_at_all():
    connection = open_memory()
    broken = Migration(2, "broken", ("CREATE TABLE half (id INTEGER)", "CREATE NONSENSE"))
    with pytest.raises(sqlite3.OperationalError, match="NONSENSE"):
        migrate(connection, now_us=0, migrations=(MIGRATIONS[0], broken))
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    assert "result" in names
    assert "half" not in names
    assert schema_of(connection) == 1
    connection.close()


def test_what_was_done_is_not_done_again():
    connection = open_memory()
    assert migrate(connection, now_us=7) == len(MIGRATIONS)
    assert migrate(connection, now_us=8) == 0
    records = connection.execute("SELECT number, name, applied_at_us FROM migration").fetchall()
    assert records == [(step.number, step.name, 7) for step in MIGRATIONS]
    connection.close()


def test_a_step_that_another_process_did_meanwhile_is_left_out(monkeypatch):
    connection = open_memory()
    migrate(connection, now_us=0)
    found = iter([0, *range(1, len(MIGRATIONS) + 1)])
    monkeypatch.setattr("device.history.migrations.schema_of", lambda _: next(found))
    assert migrate(connection, now_us=0) == 0
    connection.close()


@pytest.mark.parametrize("column", ["secret", "captured_at_us", "probability_malignant"])
def test_tables_are_strict(column):
    connection = open_memory()
    migrate(connection, now_us=0)
    strict = connection.execute("PRAGMA table_list").fetchall()
    ours = {row[1]: row[5] for row in strict if not row[1].startswith("sqlite_")}
    assert set(ours.values()) == {1}
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute(f"INSERT INTO result ({column}) VALUES (x'00')")  # noqa: S608 - names of our own schema
    connection.close()
