"""What the fuzzer starts from reaches every answer about a picture, and a wrong one is told."""

import pytest

from device.core.errors import DecodeFault
from tests.fuzz.box import UndocumentedError, open_box, parted, read
from tests.fuzz.seeds import PNG, STATED, drawn, encoded, seeds, with_checksums
from tests.fuzz.upload import figures

pytestmark = pytest.mark.portable
SCORED = {"benign", "malignant", "uncertain"}
"""Which of them, is the model's to say."""


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    with open_box(tmp_path_factory.mktemp("state")) as opened:
        yield opened


def test_the_seeds_reach_every_answer_about_a_picture(box):
    said = {box.ask(content) for content in seeds().values()}
    assert said >= {f"picture-{fault.value}" for fault in DecodeFault}
    assert said >= {"retake", "bad-request", "media-type"}
    assert said & SCORED


def test_a_body_over_the_limit_is_refused(box):
    assert box.ask(bytes([PNG, 1]) + bytes(32 * 1024)) == "upload-too-large"


def test_a_fault_of_the_box_is_an_undocumented_answer(box, monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr("device.examine.decode", broken)
    with pytest.raises(UndocumentedError, match="status 503"):
        box.ask(seeds()["baseline"])
    monkeypatch.undo()
    assert box.ask(seeds()["baseline"]) in SCORED


def test_an_input_names_its_media_type_and_its_pieces():
    assert read(b"") == (b"image/jpeg", b"")
    assert read(bytes([STATED, 0]) + b"text/plain\nbody") == (b"text/plain", b"body")
    assert parted(bytes([PNG, 1]), bytes(130)) == [bytes(64), bytes(64), bytes(2)]


def test_a_changed_png_gets_the_checksums_that_it_should_have():
    content = encoded(drawn(72), "PNG")
    assert with_checksums(content) == content
    changed = content[:29] + b"\0\0\0\0" + content[33:]
    assert with_checksums(changed) == content
    assert with_checksums(b"no picture") == b"no picture"


def test_the_figures_are_those_that_libfuzzer_prints_last():
    log = """
#75 INITED cov: 100 ft: 200 corp: 3/9Kb exec/s: 0 rss: 40Mb
#90 DONE cov: 110 ft: 220 corp: 4/9Kb lim: 9 exec/s: 5 rss: 50Mb
stat::number_of_executed_units: 90
stat::slowest_unit_time_sec:    1
stat::peak_rss_mb:              51
"""
    assert figures(log) == {
        "executions": 90,
        "coverage_edges": 110,
        "coverage_features": 220,
        "inputs_that_reached_more": 4,
        "slowest_s": 1,
        "peak_mb": 51,
    }
    assert set(figures("").values()) == {0}
