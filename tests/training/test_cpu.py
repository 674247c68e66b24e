"""Keeping memory changes nothing but the time; bf16 is used where it saves some."""

import ctypes
import sys

import pytest
import torch

from training.cpu import in_bf16, keep_memory


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


@pytest.mark.parametrize(
    ("has", "expected"),
    [((), False), (("avx512_f",), False), (("avx512_bf16",), True), (("amx_bf16",), True)],
)
def test_bf16_wants_arithmetic_of_its_own(monkeypatch, has, expected):
    """AVX-512 alone can emulate it, at half the speed of fp32."""
    known = dict.fromkeys(("avx512_f", "avx512_bf16", "amx_bf16"), False)
    capabilities = {"architecture": "x86_64", **known, **dict.fromkeys(has, True)}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert in_bf16("bf16", torch.device("cpu")) is expected
    assert not in_bf16("fp32", torch.device("cpu"))
    assert in_bf16("bf16", torch.device("cuda"))
