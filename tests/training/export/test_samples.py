"""Seeds are chosen so that a model gives the answers that the samples are meant to get."""

import shutil
from dataclasses import replace

import pytest

from device.core.values import Result
from device.drawing import SAMPLES
from device.drawing.sample_files import file_name
from tests.builders import a_model_file
from training.export.errors import ExportError
from training.export.samples import SHIPPED, SOURCE, choose_samples

DARK = [sample for sample in SAMPLES if sample.answer is Result.RETAKE]


@pytest.fixture
def source(tmp_path):
    return shutil.copy(SOURCE, tmp_path / "samples.py")


def sure_of(answer, folder):
    """A model that says the same to whatever it is shown."""
    logit = {Result.BENIGN: -3.0, Result.UNCERTAIN: 0.0, Result.MALIGNANT: 3.0}[answer]
    return a_model_file(folder / "m.onnx", value=logit)


@pytest.mark.parametrize("answer", [Result.BENIGN, Result.UNCERTAIN, Result.MALIGNANT])
def test_the_first_seed_that_is_answered_as_wanted_is_written(answer, tmp_path, source):
    """Into the source, and its picture as a file; other samples stay as they are."""
    wanted = [replace(SAMPLES[0], answer=answer, seed=999), DARK[0]]
    before = source.read_text().replace(
        f'name="{SAMPLES[0].name}", seed={SAMPLES[0].seed},', f'name="{SAMPLES[0].name}", seed=999,'
    )
    source.write_text(before)
    chosen = choose_samples(
        sure_of(answer, tmp_path), samples=wanted, folder=tmp_path, source=source
    )
    assert [sample.seed for sample in chosen] == [1, 1]
    assert source.read_text() == before.replace("seed=999", "seed=1")
    written = {path.name for path in tmp_path.glob("*.jpg")}
    assert written == {file_name(sample) for sample in wanted}


def test_an_answer_that_no_seed_gives_is_named_and_nothing_is_written(tmp_path, source):
    before = source.read_text()
    wanted = [SAMPLES[0], replace(SAMPLES[1], answer=Result.MALIGNANT)]
    with pytest.raises(ExportError, match=f"{SAMPLES[1].name}: expected a seed below 3.*malignant"):
        choose_samples(
            sure_of(Result.BENIGN, tmp_path),
            samples=wanted,
            folder=tmp_path,
            source=source,
            seeds=2,
        )
    assert source.read_text() == before
    assert not list(tmp_path.glob("*.jpg"))


def test_every_sample_can_be_rewritten():
    """The pattern that changes a seed finds each of them in the source as it is formatted."""
    text = SOURCE.read_text()
    for sample in SAMPLES:
        assert f'name="{sample.name}"' in text
        assert (SHIPPED / file_name(sample)).is_file()
