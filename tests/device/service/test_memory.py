"""What the allocator is told; what it is worth is measured by ``bench.soak``."""

import ctypes
import gc
import sys
from types import SimpleNamespace

import pytest

from device.service import memory

pytestmark = pytest.mark.portable


def test_the_limit_is_set_in_the_librarys_own_words(monkeypatch):
    told = []

    def mallopt(*words):
        told.append(words)
        return 1

    monkeypatch.setattr(memory.ctypes, "CDLL", lambda _: SimpleNamespace(mallopt=mallopt))
    assert memory.use_one_arena()
    # <malloc.h>: M_ARENA_MAX is -8.
    assert told == [(-8, 1)]


def test_a_library_without_it_is_left_alone(monkeypatch):
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda _: SimpleNamespace())
    assert not memory.use_one_arena()


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"),
    reason="another C library",
)
def test_the_gnu_library_takes_it():
    assert memory.use_one_arena()


def test_no_garbage_is_looked_for_during_a_start():
    frozen = gc.get_freeze_count()
    try:
        memory.begin_start()
        assert not gc.isenabled()
        memory.end_start()
        assert gc.isenabled()
        assert gc.get_freeze_count() > frozen
    finally:
        gc.enable()
        gc.unfreeze()
