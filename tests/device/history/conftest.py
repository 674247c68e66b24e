"""A history that is open, and answers to put into it."""

import pytest

from tests.builders import a_capture, a_history, an_answer


@pytest.fixture
def archive(tmp_path):
    with a_history(tmp_path / "state") as opened:
        yield opened


@pytest.fixture
def record(archive):
    """Record an answer with these changes; returns its id."""
    return lambda **changes: archive.record(a_capture(), an_answer(**changes)).result_id
