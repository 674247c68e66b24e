"""The results that are kept can be read, and the page says what they say."""

import json
from pathlib import Path

import pytest

from bench.report import image_beside, put_into
from bench.results import FORMAT, BenchResult, read_result

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/performance.md"
RESULT = ROOT / "bench/results/generic.json"


def test_every_kept_result_can_be_read_and_is_no_quick_one():
    """Other programs of the bench keep theirs in the same folder, without a format."""
    for path in (ROOT / "bench/results").glob("*.json"):
        if f'"{FORMAT}"' in path.read_text(encoding="utf-8"):
            result = read_result(path)
            assert not result.is_quick
            assert path.stem == result.board.found


def test_the_page_says_what_the_result_says():
    if not RESULT.exists():
        pytest.skip("no result of this machine is kept yet; bench/run.py makes it")
    page = PAGE.read_text(encoding="utf-8")
    assert put_into(page, read_result(RESULT), image_beside(RESULT, PAGE)) == page


def test_the_kept_schema_is_that_of_a_result():
    """``python -m bench.results > docs/bench.schema.json`` makes it."""
    kept = json.loads((ROOT / "docs/bench.schema.json").read_text())
    assert kept == BenchResult.model_json_schema()
