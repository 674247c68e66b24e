"""
The history as the rest of the box sees it: one thread that writes, one that reads.

Fills the role ``History`` and gives the worker what it records answers with.  A database that
failed is closed and opened again with the next answer; one that is damaged is moved aside, and a
new one takes its place.  Where another program moved it aside, the box goes on with the file that
took its place.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from typing_extensions import Self

from device.core.errors import BusyError, EdgeDermError, HistoryError, HistoryFault, NotReadyError
from device.core.manifest import PreprocessSpec
from device.core.ports import HistoryUse, JobThread, MakeJobThread
from device.core.results import (
    Annotation,
    AuditEntry,
    LesionDocument,
    LesionPage,
    ResultDocument,
    ResultFilter,
    ResultPage,
)
from device.core.values import Answer, Capture
from device.history import pictures, store
from device.history.backup import back_up, restore
from device.history.database import (
    FILE_NAME,
    alone,
    check,
    check_room,
    empty_log,
    file_at,
    move_aside,
    open_writer,
    reading,
    translated,
)
from device.history.dataset import write_dataset
from device.history.heatmap import heatmap
from device.history.identifiers import make_secret
from device.history.retention import prune
from device.history.rows import microseconds, new_row
from device.history.store import Stamp
from device.history.table import csv_head, csv_lines
from device.history.transaction import transaction

T = TypeVar("T")
_log = logging.getLogger(__name__)
_WAITING = 16
"""Jobs that may wait for either thread."""
_OPENING_S = 30.0
_COMMIT_S = 15.0
"""An answer whose commit takes longer is not given; SQLite itself gives up after 5 s."""
_STOPPING_S = 5.0
_LOG_BYTES = 4 * 2**20
"""When about so much was written, the log is copied into the database."""
_ROW_BYTES = 2 * 4096
"""An answer without a picture changes one or two pages."""
_TIDY_EVERY_S = 6 * 3600.0
"""For a box that is hardly used: what is too old goes within this time of the next question."""
_ERASE_AGAIN_S = 60.0
"""An erasure that another program held up is tried again so much later."""
_CSV_LIMIT = 500
_BOX = "box"


def now_utc() -> datetime:
    """What the clock says."""
    return datetime.now(timezone.utc)


class Archive:
    """
    Fills the role ``History``.

    Args:
        folder: Where the database is; the state directory of the box.
        make_thread: Makes the two threads.
        is_clock_trusted: Whether the time of day can be believed now.
        software_version: Goes into every row.
        keep_days: Results older than this are deleted; 0 keeps them whatever their age.
        keep_bytes: The oldest results go when the database holds more.
        use: What for, and so what may change by opening it.
        now: UTC.

    Threads: any; entering and leaving belong to the one that composes.
    """

    def __init__(
        self,
        folder: Path,
        *,
        make_thread: MakeJobThread,
        is_clock_trusted: Callable[[], bool],
        software_version: str,
        keep_days: int,
        keep_bytes: int,
        use: HistoryUse,
        now: Callable[[], datetime] = now_utc,
    ) -> None:
        self.path = folder / FILE_NAME
        self._is_clock_trusted = is_clock_trusted
        self._software_version = software_version
        self._keep_days = keep_days
        self._keep_bytes = keep_bytes
        self._use = use
        self._repairs = use in {HistoryUse.RESTORE, HistoryUse.BOX}
        self._now = now
        self._writer: JobThread = make_thread("history", waiting=_WAITING, finish=self._close)
        self._reader: JobThread = make_thread("history-reader", waiting=_WAITING)
        self._keep: Callable[[Capture], pictures.KeptPicture] | None = None
        # Below here: the writer's thread alone.
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._is_damaged = False
        self._logged_bytes = 0
        self._tidied_s = -_TIDY_EVERY_S
        self._must_erase = False
        # Written by whoever asks, read by all.
        self._last_problem: str | None = None

    def keep_pictures(self, spec: PreprocessSpec, *, longest_px: int, max_pixels: int) -> None:
        """
        From now on keep the picture of every answer, see :func:`device.history.pictures.keep`.

        Before the first answer, by the thread that composes.
        """
        self._keep = lambda capture: pictures.keep(
            capture, spec, longest_px=longest_px, max_pixels=max_pixels
        )

    def __enter__(self) -> Self:
        """
        Start the threads and open the database.

        A storage that does not work stops no box: :meth:`problem` tells it, and no answer is
        given.  Where nothing is repaired, it is an error at once.

        Raises:
            HistoryError: It is opened to look or to note only, and the database cannot be opened.
        """
        self._writer.__enter__()
        self._reader.__enter__()
        try:
            self._write(lambda _: self._plan_tidying()).result(timeout=_OPENING_S)
        except FutureTimeoutError:
            _log.warning("event=history.opening_late waited_s=%g", _OPENING_S)
        except HistoryError as error:
            if not self._repairs:
                self.__exit__(None, None, None)
                raise
            _log.error("event=history.unusable detail=%r", str(error))
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End both threads; may be called twice."""
        self._reader.stop(timeout_s=_STOPPING_S)
        self._writer.stop(timeout_s=_STOPPING_S)

    # ------------------------------------------------------------------------- for the worker

    def record(self, capture: Capture, answer: Answer) -> Answer:
        """
        Commit an answer; returns it with its id once no power cut can undo it.

        Raises:
            HistoryError: It could not be recorded; then it must not be shown either.
            BusyError: Too many jobs wait for the writer.
        """
        row = new_row(
            answer,
            secret=make_secret(),
            clock_trusted=self._is_clock_trusted(),
            software_version=self._software_version,
        )
        picture = None if self._keep is None else self._keep(capture)

        def work(connection: sqlite3.Connection) -> str:
            check_room(connection, self.path)
            result_id = store.insert(connection, row, picture)
            self._logged_bytes += _ROW_BYTES + (0 if picture is None else len(picture.jpeg))
            self._plan_tidying()
            return result_id

        future = self._write(work)
        try:
            result_id = future.result(timeout=_COMMIT_S)
        except FutureTimeoutError:
            future.cancel()
            raise HistoryError(
                HistoryFault.STORAGE,
                f"expected the answer to be written within {_COMMIT_S:g} s, found the storage "
                "still busy; the card may be worn out",
            ) from None
        return replace(answer, result_id=result_id)

    # -------------------------------------------------------------------------- for the edges

    def page(self, wanted: ResultFilter, *, cursor: int | None, limit: int) -> Future[ResultPage]:
        """See ``device.core.ports.History``, for this and what follows."""
        return self._read(lambda db: store.page(db, wanted, cursor=cursor, limit=limit))

    def result(self, result_id: str) -> Future[ResultDocument]:
        """One result."""
        return self._read(lambda db: store.result(db, result_id))

    def annotate(
        self, result_id: str, changes: Annotation, *, actor: str
    ) -> Future[ResultDocument]:
        """Add to a result; what it replaces is erased."""

        def work(connection: sqlite3.Connection) -> ResultDocument:
            changed = store.annotate(connection, result_id, changes, self._stamp(actor))
            self._erase(connection)
            return changed

        return self._write(work)

    def delete(self, result_id: str, *, actor: str) -> Future[None]:
        """Erase a result."""

        def work(connection: sqlite3.Connection) -> None:
            store.delete(connection, result_id, self._stamp(actor))
            self._erase(connection)

        return self._write(work)

    def picture(self, result_id: str) -> Future[bytes]:
        """The kept picture."""
        return self._read(lambda db: store.picture(db, _number(db, result_id)).jpeg)

    def thumbnail(self, result_id: str) -> Future[bytes]:
        """The small picture."""
        return self._read(lambda db: store.picture(db, _number(db, result_id)).thumbnail)

    def heatmap(self, result_id: str) -> Future[bytes]:
        """The map, over what the model saw."""
        return self._read(lambda db: _heatmap(db, store.result(db, result_id)))

    def report(self, result_id: str) -> Future[bytes]:
        """The page for a doctor."""

        def work(connection: sqlite3.Connection) -> bytes:
            # Eight megabytes that a box needs only when somebody asks for a page.
            from device.history.report import report

            result = store.result(connection, result_id)
            jpeg = store.picture(connection, result.sequence).jpeg if result.has_picture else None
            return report(result, jpeg=jpeg, heatmap_png=_heatmap(connection, result))

        return self._read(work)

    def lesions(
        self, *, patient_reference: str | None, cursor: int | None, limit: int
    ) -> Future[LesionPage]:
        """The lesions of one patient, or of all."""
        return self._read(
            lambda db: store.lesions(
                db, patient_reference=patient_reference, cursor=cursor, limit=limit
            )
        )

    def lesion(
        self, lesion_reference: str, *, patient_reference: str | None
    ) -> Future[LesionDocument]:
        """One lesion over time."""
        return self._read(
            lambda db: store.lesion(db, lesion_reference, patient_reference=patient_reference)
        )

    def begin_export(self, *, actor: str) -> Future[str]:
        """Head of the table, once the audit trail says that somebody asked for it."""
        return self._write(lambda db: self._audited(db, "export table", "csv", actor, csv_head))

    def csv_page(
        self, wanted: ResultFilter, *, cursor: int | None
    ) -> Future[tuple[str, int | None]]:
        """Some lines of the table."""

        def work(connection: sqlite3.Connection) -> tuple[str, int | None]:
            page = store.page(connection, wanted, cursor=cursor, limit=_CSV_LIMIT)
            return csv_lines(page.results), page.next

        return self._read(work)

    def audit_page(
        self, *, cursor: int | None, limit: int
    ) -> Future[tuple[list[AuditEntry], int | None]]:
        """Some entries of the audit trail."""
        return self._read(lambda db: store.audit_page(db, cursor=cursor, limit=limit))

    def note(self, act: str, subject: str, *, actor: str) -> Future[None]:
        """Put a deed into the audit trail."""
        return self._write(lambda db: self._audited(db, act, subject, actor, lambda: None))

    # ------------------------------------------------------------------- for the command line

    def audit_trail(self) -> Future[list[AuditEntry]]:
        """Who did what to the history, the oldest entry first."""
        return self._read(store.audit_trail)

    def export_dataset(self, folder: Path, *, actor: str) -> Future[int]:
        """Write what may be trained on, see :func:`device.history.dataset.write_dataset`."""

        def work(connection: sqlite3.Connection) -> int:
            return self._audited(
                connection,
                "export dataset",
                folder.name,
                actor,
                lambda: write_dataset(connection, folder, now=self._now()),
            )

        return self._write(work)

    def back_up(self, target: Path, *, actor: str) -> Future[None]:
        """Copy the history into one file, see :func:`device.history.backup.back_up`."""
        return self._write(
            lambda db: self._audited(db, "backup", target.name, actor, lambda: back_up(db, target))
        )

    def restore(self, source: Path, *, actor: str) -> Future[int]:
        """Take back a copy, see :func:`device.history.backup.restore`."""

        def work(connection: sqlite3.Connection) -> int:
            with alone(self.path):
                count = restore(connection, self.path, source, self._stamp(actor))
                self._erase(connection)
            return count

        return self._write(work)

    def prune(self) -> Future[int]:
        """Delete now what is too old or too much; gives how many results that were."""

        def work(connection: sqlite3.Connection) -> int:
            total = 0
            while count := self._prune(connection):
                total += count
            self._erase(connection)
            return total

        return self._write(work)

    # ------------------------------------------------------------------------------ readiness

    @property
    def last_problem(self) -> str | None:
        """What :meth:`problem` said last."""
        return self._last_problem

    def problem(self) -> str | None:
        """
        Say what keeps answers from being recorded, or None.

        While the queue is full the last verdict stands: a busy box is not a broken one.
        """

        def work(connection: sqlite3.Connection) -> None:
            check_room(connection, self.path)
            with transaction(connection):
                pass
            self._plan_tidying()

        try:
            self._write(work).result(timeout=_COMMIT_S)
        except BusyError:
            return self._last_problem
        except FutureTimeoutError:
            self._last_problem = "the storage does not answer; the card may be worn out"
        except EdgeDermError as error:
            self._last_problem = str(error)
        else:
            self._last_problem = None
        return self._last_problem

    # ------------------------------------------------------------------------------ inside

    def _read(self, work: Callable[[sqlite3.Connection], T]) -> Future[T]:
        # A connection for each question: none is left with a file that was moved aside.
        def job() -> T:
            with reading(self.path) as connection:
                return work(connection)

        return self._reader.submit(job)

    def _write(self, work: Callable[[sqlite3.Connection], T]) -> Future[T]:
        def job() -> T:
            connection = self._opened()
            try:
                with translated(self.path):
                    return work(connection)
            except HistoryError as error:
                if error.fault in {HistoryFault.DAMAGED, HistoryFault.STORAGE}:
                    self._is_damaged = error.fault is HistoryFault.DAMAGED
                    self._close()
                raise

        return self._writer.submit(job)

    def _opened(self) -> sqlite3.Connection:
        if self._connection is not None:
            if file_at(self.path) == self._file:
                return self._connection
            # Moved away, by a restore on the command line say.  SQLite would go on writing to it
            # under its new name, where nobody looks for an answer.
            _log.warning("event=history.followed detail='another file is in its place'")
            self._close()
        if self._use is HistoryUse.LOOK:
            with reading(self.path):  # It must be there.
                pass
        with alone(self.path):
            aside = None
            try:
                if self._repairs and self._is_damaged and file_at(self.path) == self._file:
                    aside = move_aside(self.path, self._now())
                self._is_damaged = False
                self._connection = self._open()
            except HistoryError as error:
                if not self._repairs or error.fault is not HistoryFault.DAMAGED:
                    raise
                aside = move_aside(self.path, self._now())
                self._connection = self._open()
        if aside is not None:
            with translated(self.path), transaction(self._connection):
                store.audit(self._connection, "damaged", aside.name, self._stamp(_BOX))
        return self._connection

    def _open(self) -> sqlite3.Connection:
        connection = open_writer(self.path, now_us=microseconds(self._now()))
        try:
            with translated(self.path):
                check(connection)
            self._file = file_at(self.path)
        except BaseException:
            connection.close()
            raise
        return connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _plan_tidying(self) -> None:
        """Queue what may wait until nobody waits for an answer.  The writer's thread."""
        if self._use is not HistoryUse.BOX:
            return
        every_s = _ERASE_AGAIN_S if self._must_erase else _TIDY_EVERY_S
        is_due = time.monotonic() - self._tidied_s >= every_s
        if is_due or self._logged_bytes >= _LOG_BYTES:
            # If the queue is full, the next answer plans it again.
            with contextlib.suppress(BusyError, NotReadyError):
                self._write(self._tidy).add_done_callback(_complain)

    def _tidy(self, connection: sqlite3.Connection) -> None:
        self._tidied_s = time.monotonic()
        self._logged_bytes = 0
        if self._prune(connection):
            self._must_erase = True
            # One batch at a time: an answer that came meanwhile goes first.
            self._write(self._tidy).add_done_callback(_complain)
        elif self._must_erase:
            self._erase(connection)
        else:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").close()

    def _erase(self, connection: sqlite3.Connection) -> None:
        """Leave no copy of a changed or deleted row in the log."""
        self._must_erase = True
        empty_log(connection)
        self._must_erase = False

    def _prune(self, connection: sqlite3.Connection) -> int:
        count = prune(
            connection,
            now=self._now(),
            clock_trusted=self._is_clock_trusted(),
            keep_days=self._keep_days,
            keep_bytes=self._keep_bytes,
        )
        if count:
            _log.info("event=history.pruned results=%d", count)
        return count

    def _audited(
        self,
        connection: sqlite3.Connection,
        act: str,
        subject: str,
        actor: str,
        work: Callable[[], T],
    ) -> T:
        """Note the act before it is done: what was handed out cannot be taken back."""
        with transaction(connection):
            store.audit(connection, act, subject, self._stamp(actor))
        return work()

    def _stamp(self, actor: str) -> Stamp:
        return Stamp(now=self._now(), clock_trusted=self._is_clock_trusted(), actor=actor)


def _number(connection: sqlite3.Connection, result_id: str) -> int:
    return store.result(connection, result_id).sequence


def _heatmap(connection: sqlite3.Connection, result: ResultDocument) -> bytes:
    map_HW = store.map_of(connection, result.sequence)
    if not result.has_picture:
        return heatmap(map_HW)
    kept = store.picture(connection, result.sequence)
    top_px, left_px, side_px = kept.crop_top_px, kept.crop_left_px, kept.crop_side_px
    image_HWC = pictures.unpack(kept.jpeg)
    return heatmap(map_HW, image_HWC[top_px : top_px + side_px, left_px : left_px + side_px])


def _complain(done: Future[None]) -> None:
    if not done.cancelled() and (error := done.exception()) is not None:
        _log.warning("event=history.not_tidied detail=%r", str(error))
