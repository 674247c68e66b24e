"""The page for a doctor: one page, in words, with what they do not mean."""

import io
import zlib
from typing import get_args

import cv2
import numpy as np
import pytest

from device.core import manifest
from device.core.document import NOTICE
from device.core.results import Annotation, ConfirmType
from device.core.values import Decision, Result
from device.history.report import CONFIRMED_BY, NOT_MEANT, WORDS, printable, report
from tests.builders import a_capture, a_history, a_spec, an_answer

pytestmark = pytest.mark.portable
PNG = cv2.imencode(".png", np.zeros((64, 64, 3), np.uint8))[1].tobytes()
JPEG = cv2.imencode(".jpg", np.zeros((48, 64, 3), np.uint8))[1].tobytes()


def read(pdf):
    """Words of the page as they are drawn, one after the other, and the number of pages."""
    import base64
    import re

    assert pdf.startswith(b"%PDF-")
    text = []
    for stream in re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL):
        try:
            content = zlib.decompress(base64.a85decode(stream.strip(), adobe=False))
        except ValueError:
            try:
                content = zlib.decompress(base64.a85decode(b"<~" + stream.strip(), adobe=True))
            except (ValueError, zlib.error):
                continue
        except zlib.error:
            continue
        for drawn in re.findall(rb"\(((?:[^()\\]|\\.)*)\) Tj", content, re.DOTALL):
            plain = re.sub(
                rb"\\([0-7]{3}|.)",
                lambda m: bytes([int(m[1], 8)]) if len(m[1]) == 3 else m[1],
                drawn,
            )
            text.append(plain.decode("cp1252"))
    return " ".join(text), len(re.findall(rb"/Type /Page\b", pdf))


@pytest.fixture
def result(archive, record):
    """A result with these members."""

    def make(word=Result.BENIGN, **members):
        decision = an_answer().decision
        result_id = record(
            decision=Decision(
                result=word,
                probability_malignant=0.073,
                diagnoses=decision.diagnoses,
                reasons=decision.reasons,
                novelty=decision.novelty,
            )
        )
        return archive.annotate(result_id, Annotation(**members), actor="t").result(30)

    return make


@pytest.mark.parametrize("word", Result)
def test_it_says_the_word_and_what_that_does_not_mean(result, word):
    text, pages = read(report(result(word), jpeg=JPEG, heatmap_png=PNG))
    assert pages == 1
    assert WORDS[word] in text
    assert NOT_MEANT[word] in text
    assert NOTICE in text
    assert ("7%" in text) == (word is not Result.RETAKE)


def test_it_holds_all_that_a_doctor_may_ask_for(result):
    one = result(
        patient_reference="P-1",
        lesion_reference="left arm",
        note="grew since spring",
        confirmed_diagnosis="NV",
        diagnosis_confirm_type="histo",
    )
    text, _ = read(report(one, jpeg=JPEG, heatmap_png=PNG))
    for words in (
        "P-1",
        "left arm",
        "grew since spring",
        "melanocytic naevus (NV), by a tissue sample",
        "between the two thresholds",
        "sharpness 0.02, novelty 0.6",
        "test 0.0.1 (0000000000000000), software 0.1.0",
        one.id,
        f"{one.captured_at:%Y-%m-%d %H:%M:%S} UTC",
    ):
        assert words in text
    assert "clock" not in text


def test_whatever_can_be_entered_has_its_words():
    assert set(manifest.DIAGNOSIS_NAMES) == set(manifest.DIAGNOSES)
    assert set(CONFIRMED_BY) == set(get_args(ConfirmType))


def test_a_page_that_asks_for_another_picture_shows_no_evidence(result):
    one = result(Result.RETAKE)
    text, _ = read(report(one, jpeg=JPEG, heatmap_png=PNG))
    assert "evidence" not in text
    assert "The picture." in text
    assert "The picture was not kept." in read(report(one, jpeg=None, heatmap_png=PNG))[0]


def test_a_clock_that_was_not_trusted_is_named(result):
    one = result().model_copy(update={"clock_trusted": False})
    assert "the clock had not been set" in read(report(one, jpeg=None, heatmap_png=PNG))[0]


def test_without_a_picture_it_says_so(result):
    text, _ = read(report(result(), jpeg=None, heatmap_png=PNG))
    assert "the picture itself was not kept" in text


@pytest.mark.parametrize("note", ["word " * 400, "line\n" * 400, "x" * 2000])
def test_a_long_note_stays_on_the_page_and_ends_with_dots(result, note):
    text, pages = read(report(result(note=note), jpeg=JPEG, heatmap_png=PNG))
    assert pages == 1
    assert ("..." in text) == ("\n" in note)


@pytest.mark.parametrize("shape", [(48, 64), (64, 48), (1024, 64), (64, 1024)])
def test_a_picture_of_any_shape_fits(result, shape):
    jpeg = cv2.imencode(".jpg", np.zeros((*shape, 3), np.uint8))[1].tobytes()
    assert read(report(result(), jpeg=jpeg, heatmap_png=PNG))[1] == 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("naïve café €", "naïve café €"),
        ("Łukasz Dvořák", "?ukasz Dvorák"),
        ("Ελένη", "?????"),
        ("e\u0301", "e"),
        ("a\x07b", "a?b"),
    ],
)
def test_letters_that_the_page_lacks_become_the_nearest_or_a_question_mark(text, shown):
    assert printable(text) == shown


def test_a_question_mark_that_stands_for_a_letter_is_explained(result):
    lacks = "may stand for a letter"
    assert lacks in read(report(result(note="Ελένη"), jpeg=None, heatmap_png=PNG))[0]
    assert lacks not in read(report(result(note="really?"), jpeg=None, heatmap_png=PNG))[0]


def test_the_history_makes_it_of_what_it_kept(tmp_path):
    with a_history(tmp_path) as archive:
        plain = archive.record(a_capture(), an_answer()).result_id
        archive.keep_pictures(a_spec(), longest_px=256, max_pixels=10**6)
        kept = archive.record(a_capture(), an_answer()).result_id
        without, whole = (archive.report(one).result(20) for one in (plain, kept))
    assert "was not kept" in read(without)[0]
    assert "Left: the picture" in read(whole)[0]
    assert io.BytesIO(whole).getbuffer().nbytes > len(without)
