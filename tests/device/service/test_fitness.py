"""Heat, supply and room in one document; what cannot be read is left out."""

import shutil

import pytest

from device.core.board import BoardHealth
from device.service.fitness import take_board

pytestmark = pytest.mark.portable

WARM = BoardHealth(
    temperatures_celsius={"cpu-thermal": 51.5},
    flags={"under_voltage": False},
    flags_since_start={"under_voltage": True},
)


def test_what_the_board_shows_stands_beside_the_room_that_is_left(tmp_path):
    board = take_board(WARM, folder=tmp_path, limit_celsius=80.0)
    assert board.temperatures_celsius == {"cpu-thermal": 51.5}
    assert board.limit_celsius == 80.0
    assert (board.limited, board.limited_since_start) == (
        {"under_voltage": False},
        {"under_voltage": True},
    )
    assert board.storage_size_bytes == shutil.disk_usage(tmp_path).total
    assert 0 < board.storage_free_bytes <= board.storage_size_bytes


def test_a_disk_that_cannot_be_asked_has_no_room_to_tell_of(tmp_path):
    board = take_board(BoardHealth(), folder=tmp_path / "gone", limit_celsius=None)
    assert (board.storage_free_bytes, board.storage_size_bytes) == (None, None)
    assert board.temperatures_celsius == {}
