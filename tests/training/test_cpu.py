"""Keeping memory changes nothing but the time, and may be asked for again and anywhere."""

import ctypes
import sys

import pytest

from training.cpu import keep_memory


def test_it_may_be_called_twice():
    keep_memory()
    keep_memory()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mallopt is glibc's")
def test_every_option_is_accepted(monkeypatch):
    """mallopt answers 1 for an option that it took."""
    real, answers = ctypes.CDLL(None), []

    class Library:
        gnu_get_libc_version = real.gnu_get_libc_version

        @staticmethod
        def mallopt(option, value):
            answers.append(real.mallopt(option, value))

    monkeypatch.setattr(ctypes, "CDLL", lambda _name: Library)
    keep_memory()
    assert answers == [1, 1, 1, 1]


def test_elsewhere_nothing_is_done(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: pytest.fail("no library is asked"))
    keep_memory()
