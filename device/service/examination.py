"""From a press to an answer: a frame is asked for, and examined when it is there."""

from __future__ import annotations

from concurrent.futures import Future

from device.core.ports import Examiner, Frames
from device.core.values import Answer, Capture


def start_examination(frames: Frames, examiner: Examiner) -> Future[Answer]:
    """
    Ask for a frame and, once it is there, for its answer; returns without waiting for either.

    Raises:
        BusyError: Too many wait for a frame already.
        NotReadyError: The box is stopping.

    The future fails as those of ``Frames`` and ``Examiner`` do, and with BusyError when too many
    wait to be examined.  It cannot be cancelled.  Any thread.
    """
    answer: Future[Answer] = Future()
    answer.set_running_or_notify_cancel()

    def examined(done: Future[Answer]) -> None:
        try:
            answer.set_result(done.result())
        except BaseException as error:  # noqa: BLE001 - whoever waits shall have it, whatever it is
            answer.set_exception(error)

    def captured(done: Future[Capture]) -> None:
        try:
            examiner.submit(done.result()).add_done_callback(examined)
        except BaseException as error:  # noqa: BLE001 - the same
            answer.set_exception(error)

    frames.request().add_done_callback(captured)
    return answer
