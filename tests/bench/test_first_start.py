"""A measurement that cannot succeed ends at once."""

import subprocess
import sys
import time

import pytest

from bench import first_start


def test_a_box_that_died_is_not_waited_for():
    box = subprocess.Popen([sys.executable, "-c", "raise SystemExit(2)"])
    with pytest.raises(RuntimeError, match="status 2"):
        first_start._when(lambda: False, time.monotonic(), box)
