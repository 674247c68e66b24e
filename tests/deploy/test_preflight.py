"""What the machine lacks is said before anything is installed."""

import subprocess
import sys
from pathlib import Path

import pytest

PREFLIGHT = Path(__file__).parents[2] / "deploy" / "preflight.sh"


def preflight(folder, version):
    """Ask with a Python that says it is of another *version*."""
    python = folder / "python"
    python.write_text(
        f"#!/bin/sh\nexec '{sys.executable}' -c "
        f"'import sys; sys.version_info = {version}; exec(sys.argv.pop(1))' \"$2\"\n"
    )
    python.chmod(0o755)
    return subprocess.run([PREFLIGHT, python, "3.11"], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("minor", [11, 13])
def test_a_version_that_the_locks_hold_passes(minor, tmp_path):
    assert preflight(tmp_path, (3, minor)).returncode == 0


def test_an_older_version_is_refused(tmp_path):
    done = preflight(tmp_path, (3, 10))
    assert done.returncode == 1
    assert "3.11 or newer" in done.stderr


def test_a_newer_version_than_the_locks_hold_is_refused(tmp_path):
    done = preflight(tmp_path, (3, 14))
    assert done.returncode == 1
    assert "Python 3.11 to 3.13" in done.stderr
    assert "is 3.14" in done.stderr
