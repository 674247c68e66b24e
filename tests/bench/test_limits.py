"""Which interpreter multiplies in torch."""

import pytest

from bench import limits


def an_interpreter(path, script):
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(("script", "expected"), [("echo 2.13.0", "2.13.0"), ("exit 1", None)])
def test_an_interpreter_is_asked_which_torch_it_has(tmp_path, script, expected):
    """One that was left half made has none."""
    python = an_interpreter(tmp_path / "python", script)
    assert limits._version_of_torch(python) == expected


def test_an_interpreter_that_is_not_there_has_none(tmp_path):
    assert limits._version_of_torch(tmp_path / "python") is None
