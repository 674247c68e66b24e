"""Drawn pictures are what their names say."""

import numpy as np
import pytest

from bench.pictures import large_picture, under_hair
from device.compose import load_classifier
from device.core.manifest import HairRemoval
from device.preprocess import model_input, working_copy
from device.settings import ModelSettings


@pytest.fixture(scope="module")
def spec():
    return load_classifier(ModelSettings()).manifest.preprocess


def test_hair_is_there_to_be_removed(spec):
    plain_HWC = large_picture(height_px=608, width_px=812)
    every = spec.with_every_stage()

    def changed_by_hair_removal(image_HWC):
        without = every.model_copy(
            update={
                "stages": tuple(
                    stage.model_copy(update={"enabled": False})
                    if isinstance(stage, HairRemoval)
                    else stage
                    for stage in every.stages
                )
            }
        )
        prepared = (model_input(working_copy(image_HWC, one), one) for one in (every, without))
        return not np.array_equal(*prepared)

    hairy_HWC = under_hair(plain_HWC, spec)
    assert changed_by_hair_removal(hairy_HWC)
    assert np.array_equal(hairy_HWC, under_hair(plain_HWC, spec))


def test_a_preprocessing_without_hair_removal_has_no_such_picture(spec):
    bald = spec.model_copy(
        update={"stages": tuple(s for s in spec.stages if not isinstance(s, HairRemoval))}
    )
    with pytest.raises(ValueError, match="one without"):
        under_hair(large_picture(height_px=200, width_px=300), bald)
