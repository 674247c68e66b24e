"""The figure that a user would get is the figure that is reported."""

import cv2
import pytest

from tests.builders import a_model_file, a_picture
from training.errors import RunError
from training.evaluate.from_files import probabilities_from_files


def test_every_file_gets_its_probability_in_order(tmp_path):
    model = a_model_file(tmp_path / "model.onnx")
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for seed, path in enumerate(paths):
        cv2.imwrite(str(path), a_picture(seed)[:, :, ::-1])
    assert probabilities_from_files(model, paths).tolist() == [0.5] * 3


def test_a_refused_file_is_an_error_that_names_it(tmp_path):
    model = a_model_file(tmp_path / "model.onnx")
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no picture")
    with pytest.raises(RunError, match=r"bad\.jpg"):
        probabilities_from_files(model, [bad])


def test_a_refused_model_is_an_error_that_says_why(tmp_path):
    with pytest.raises(RunError, match="model refused"):
        probabilities_from_files(tmp_path / "none.onnx", [tmp_path / "a.jpg"])
