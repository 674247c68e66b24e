"""A box that says it is ready has done everything once."""

import cv2
import pytest

from device import compose
from device.preprocess import pipeline
from device.settings import ModelSettings
from tests.builders import a_model_file


@pytest.mark.parametrize(("module", "name"), [(cv2, "imdecode"), (pipeline, "resize_area")])
def test_loading_warms_up_decoding_and_the_working_copy(module, name, tmp_path, monkeypatch):
    """The first of each takes many times as long as the second."""
    real, sides = getattr(module, name), []

    def spy(*arguments):
        result_HWC = real(*arguments)
        sides.append(result_HWC.shape[0])
        return result_HWC

    monkeypatch.setattr(module, name, spy)
    classifier = compose.load_classifier(ModelSettings(path=a_model_file(tmp_path / "model.onnx")))
    assert max(sides) >= 4 * classifier.manifest.preprocess.side_px
