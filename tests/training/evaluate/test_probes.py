"""What a probe says is what the device says, picture by picture, in one process or two."""

import shutil
import time
from dataclasses import replace

import numpy as np
import pytest

from device.classifier import OnnxClassifier
from device.core.stopwatch import Recorder
from device.core.values import Result
from device.examine import examine
from tests.builders import a_capture
from tests.training.sets import a_ham10000, a_lesion, write_picture
from tests.training.small import a_data_set, a_finished_run, a_split
from training.data.case import load_pixels
from training.data.provenance import describe_data
from training.data.readers import read_dataset
from training.data.readers.ham10000 import RECORD_FOLDER, SHARPER_FOLDER
from training.data.splits import read_split
from training.evaluate.disturbances import DISTURBANCES, LEVELS, disturb
from training.evaluate.probes import (
    CLEAN,
    LESION_HIDDEN,
    MASK_SIZE,
    MIDDLE_HIDDEN,
    SHARPER,
    SKIN_HIDDEN,
    disturbed_answers,
    masked_answers,
    sharper_answers,
)
from training.export.export import export_run
from training.runs import load_config, save_config


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A file with random weights: it says nothing of lesions, but something else of each."""
    root = tmp_path_factory.mktemp("probes")
    data = a_data_set(root / "drawn")
    split = a_split(root / "split.csv", data)
    run = a_finished_run(root / "run")
    described = describe_data(read_dataset(data), read_split(split))
    save_config(run, load_config(run).model_copy(update={"data": described}))
    out = root / "models" / "student.onnx"
    export_run(
        run, data=data, split=split, cache=root / "cache", out=out, name="drawn", version="0.0.1"
    )
    return out


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    rows = [(f"L{i}", f"I{i}", ("nv", "mel")[i % 2]) for i in range(3)]
    cases = read_dataset(a_ham10000(tmp_path_factory.mktemp("set") / "set", rows))
    for seed, case in enumerate(cases):
        # The device takes no picture as small as those of the set.
        write_picture(case.path, a_lesion(seed, case.diagnosis, height_px=96, width_px=128))
    return cases


def says(model, pixels_HWC):
    answer = examine(
        a_capture(pixels_HWC),
        OnnxClassifier(model),
        Recorder(time.perf_counter_ns),
        max_pixels=1_000_000,
    )
    return answer.decision.probability_malignant, answer.decision.result


def test_probes_answer_as_the_device_does(model, cases):
    found = disturbed_answers(model, cases, workers=1)
    assert list(found) == [(CLEAN, 0), *((name, n) for name in DISTURBANCES for n in LEVELS)]
    for index, case in enumerate(cases):
        clean_HWC = load_pixels(case)
        for key, shown_HWC in (
            ((CLEAN, 0), clean_HWC),
            (("ink", 4), disturb(clean_HWC, "ink", 4, key=case.image_id)),
        ):
            probability, result = says(model, shown_HWC)
            assert found[key].probability_N[index] == pytest.approx(probability, abs=1e-6)
            assert found[key].called(result)[index]


def test_several_processes_say_the_same(model, cases):
    alone, together = (masked_answers(model, cases, workers=workers) for workers in (1, 2))
    for name, answers in alone.items():
        np.testing.assert_array_equal(answers.probability_N, together[name].probability_N)
        np.testing.assert_array_equal(answers.result_N, together[name].result_N)


def test_hiding_changes_the_answer_and_the_area_is_a_share(model, cases):
    found = masked_answers(model, cases, workers=1)
    assert list(found) == [CLEAN, LESION_HIDDEN, MIDDLE_HIDDEN, SKIN_HIDDEN, MASK_SIZE]
    for name in (LESION_HIDDEN, MIDDLE_HIDDEN, SKIN_HIDDEN):
        assert (found[name].probability_N != found[CLEAN].probability_N).any()
    assert ((found[MASK_SIZE].probability_N > 0) & (found[MASK_SIZE].probability_N < 1)).all()
    assert sum(found[CLEAN].called(result).sum() for result in Result) == len(cases)


def test_pictures_are_compared_with_their_sharper_copies_where_there_are_some(
    model, cases, tmp_path
):
    assert sharper_answers(model, cases, workers=1) is None
    for folder in (RECORD_FOLDER, SHARPER_FOLDER):
        (tmp_path / folder).mkdir()
    of_record = [
        replace(case, path=tmp_path / RECORD_FOLDER / f"{index}.png")
        for index, case in enumerate(cases)
    ]
    for before, after in zip(cases, of_record, strict=True):
        shutil.copy(before.path, after.path)
    # Only the last one has a copy, and it shows another lesion.
    shutil.copy(cases[0].path, tmp_path / SHARPER_FOLDER / of_record[-1].path.name)
    places_M, found = sharper_answers(model, of_record, workers=1)
    assert places_M.tolist() == [len(cases) - 1]
    for shown, case in ((CLEAN, cases[-1]), (SHARPER, cases[0])):
        probability, _ = says(model, load_pixels(case))
        assert found[shown].probability_N.tolist() == pytest.approx([probability], abs=1e-6)
