"""Which interpreter multiplies in torch."""

import sys

import pytest

from bench import limits


def an_interpreter(path, *, status):
    path.write_text(f"#!/bin/sh\nexit {status}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(("status", "expected"), [(0, "python"), (1, None)])
def test_another_environment_is_asked_whether_it_has_torch(tmp_path, monkeypatch, status, expected):
    """One that was left half made has none."""
    monkeypatch.setattr(limits, "find_spec", lambda _name: None)
    monkeypatch.setattr(limits, "_TRAINING", an_interpreter(tmp_path / "python", status=status))
    assert limits._python_with_torch() == (expected and str(tmp_path / expected))


def test_without_another_environment_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "find_spec", lambda _name: None)
    monkeypatch.setattr(limits, "_TRAINING", tmp_path / "python")
    assert limits._python_with_torch() is None


def test_this_interpreter_comes_first(monkeypatch):
    monkeypatch.setattr(limits, "find_spec", lambda name: name)
    assert limits._python_with_torch() == sys.executable
