"""
The stages give the recorded pixels, under every lock, to within one level.

The pictures stand in the file too, so that only the stages are compared.  Renew after a
deliberate change (which raises the preprocessing's version) with
``python -m tests.device.preprocess.test_golden``.
"""

from pathlib import Path

import numpy as np
import pytest

from device.drawing import draw_sample
from device.preprocess import prepare
from tests.builders import a_spec

pytestmark = pytest.mark.portable

GOLDEN = Path(__file__).with_name("golden.npz")
NAMES = ("melanoma", "nevus-hair", "keratosis-ruler")


@pytest.mark.parametrize("name", NAMES)
def test_the_stages_give_the_recorded_pixels(name):
    recorded = np.load(GOLDEN)
    found = prepare(recorded[f"{name}/picture"], a_spec(64))
    assert np.abs(found.astype(int) - recorded[f"{name}/input"]).max() <= 1


if __name__ == "__main__":
    pictures = {name: draw_sample(name, height_px=150, width_px=200) for name in NAMES}
    np.savez_compressed(
        GOLDEN,
        **{f"{name}/picture": picture for name, picture in pictures.items()},
        **{f"{name}/input": prepare(picture, a_spec(64)) for name, picture in pictures.items()},
    )
