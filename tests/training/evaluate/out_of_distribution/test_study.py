"""What is counted as refused is what the device refuses; figures by hand."""

import time

import numpy as np
import pytest

from device.classifier import OnnxClassifier
from device.core.stopwatch import Recorder
from device.core.values import Result
from device.examine import examine
from tests.builders import (
    a_capture,
    a_manifest,
    a_model_file,
    a_picture,
    a_prediction,
    an_out_of_distribution,
)
from tests.training.sets import some_cases, write_picture
from training.evaluate.out_of_distribution import study
from training.evaluate.out_of_distribution.broken_frames import BREAKS
from training.evaluate.out_of_distribution.scenes import PLAIN_SKIN, SCENES
from training.evaluate.out_of_distribution.study import (
    Looks,
    figures,
    look,
    look_at_cases,
    look_at_strangers,
)

BLACK = np.zeros((96, 128, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    """Whatever it is shown, its novelty is 0.5."""
    return OnnxClassifier(a_model_file(tmp_path_factory.mktemp("m") / "m.onnx", value=1.0))


@pytest.fixture(scope="module")
def wary(tmp_path_factory):
    """Whatever it is shown, its novelty is 2."""
    manifest = a_manifest(out_of_distribution=an_out_of_distribution(limit=0.25))
    path = tmp_path_factory.mktemp("m") / "m.onnx"
    return OnnxClassifier(a_model_file(path, value=1.0, manifest=manifest))


def seen(novelties, *, refused=(), diagnosis=None):
    """Looks by hand; *refused* are places."""
    refused_N = np.isin(np.arange(len(novelties)), refused)
    return Looks(
        novelty_N=np.array(novelties, dtype=float),
        gate_N=np.zeros(len(novelties), dtype=bool),
        refused_N=refused_N,
        predictions=(a_prediction(),) * len(novelties),
    )


@pytest.mark.parametrize("name", ["classifier", "wary"])
def test_a_look_is_what_the_device_answers(name, request):
    classifier = request.getfixturevalue(name)
    pictures = [a_picture(1, height_px=300, width_px=400), BLACK]
    looks = look(classifier, pictures)
    for place, picture in enumerate(pictures):
        answer = examine(
            a_capture(picture), classifier, Recorder(time.perf_counter_ns), max_pixels=1_000_000
        )
        assert looks.refused_N[place] == (answer.decision.result is Result.RETAKE)
        assert looks.novelty_N[place] == pytest.approx(answer.decision.novelty)
    assert looks.gate_N.tolist() == [False, True]
    assert looks.refused_N.tolist() == [name == "wary", True]


def test_cases_are_read_from_their_files(classifier, tmp_path):
    (case,) = some_cases([str(tmp_path / "a.png")])
    write_picture(case.path, BLACK)
    assert look_at_cases(classifier, [case]).gate_N.tolist() == [True]


def test_figures_by_hand():
    """Of four real pictures one is refused, a melanoma; of two strangers both lie beyond three."""
    cases = [*some_cases(["a", "b"]), *some_cases(["c", "d"], diagnosis="MEL")]
    real = seen([0.1, 0.2, 0.3, 0.9], refused=[3])
    found = figures(
        real, cases, np.array(["a", "b", "c", "d"]), {"scenes": seen([0.5, 2.0], refused=[1])}
    )
    assert {name: metric.value for name, metric in found.items()} == pytest.approx(
        {
            "refused": 0.25,
            "refused_NV": 0.0,
            "refused_MEL": 0.5,
            "novelty_auroc_scenes": 7 / 8,
            "refused_scenes": 0.5,
        }
    )
    assert all(metric.low <= metric.value <= metric.high for metric in found.values())
    assert found["refused_MEL"].low == 0.0
    assert found["refused_MEL"].high == 1.0


def test_pictures_of_one_lesion_are_redrawn_together():
    """Eight pictures are worth no more than two lesions: the interval is as wide."""
    cases = some_cases([f"{n}" for n in range(8)])
    real = seen([0.5] * 8, refused=[4, 5, 6, 7])
    found = figures(real, cases, np.repeat(["a", "b"], 4), {})
    assert (found["refused"].low, found["refused"].high) == (0.0, 1.0)


def test_strangers_of_every_kind_are_shown(classifier, tmp_path, monkeypatch):
    monkeypatch.setattr(study, "OF_EACH", 1)
    cases = some_cases([str(tmp_path / f"{n}.png") for n in range(len(BREAKS))])
    for seed, case in enumerate(cases):
        write_picture(case.path, a_picture(seed))
    by_name, by_kind = look_at_strangers(classifier, cases, [a_picture(1), BLACK])
    assert {name: len(looks.novelty_N) for name, looks in by_name.items()} == {
        "photographs": 2,
        "scenes": len(SCENES) - 1,
        "plain_skin": 1,
        "broken_frames": len(BREAKS),
    }
    assert list(by_kind) == [*SCENES, *BREAKS]
    assert by_kind["black"].gate_N.tolist() == [True]
    assert by_kind[PLAIN_SKIN].novelty_N == pytest.approx([0.5])
