"""Keeps the process small: a Zero 2 W has 512 MB for all that runs on it."""

from __future__ import annotations

import ctypes
import gc

_M_ARENA_MAX = -8
"""Of ``mallopt(3)``."""
_ARENAS = 1


def use_one_arena() -> bool:
    """
    Let all threads share one pool of freed memory; whether the C library knows how.

    The GNU C library gives each thread a pool of its own and keeps what was freed there.  A box
    has five threads that each work now and then on pictures of the same size.  Called before the
    threads start.  Other C libraries have no such pools.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:
        return False
    mallopt.argtypes, mallopt.restype = (ctypes.c_int, ctypes.c_int), ctypes.c_int
    return bool(mallopt(_M_ARENA_MAX, _ARENAS) == 1)


def begin_start() -> None:
    """
    Look for no garbage cycles until :func:`end_start`.

    A start makes classes by the thousand and hardly any garbage, and Python's collector would go
    through all of them again and again: a tenth of the processor time of a start.
    """
    gc.disable()


def end_start() -> None:
    """Collect from now on, and never look again at what the start has left: it stays."""
    gc.freeze()
    gc.enable()
