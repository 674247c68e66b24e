"""The seven diagnoses are drawn, and can be told apart as far as they should."""

import itertools

import numpy as np

from device.core.manifest import DIAGNOSES
from device.drawing import draw_lesion
from device.drawing.diagnoses import SHAPES, TRAITS


def test_the_diagnoses_of_the_contract_are_drawn():
    assert tuple(TRAITS) == DIAGNOSES
    assert tuple(SHAPES) == DIAGNOSES


def test_no_two_diagnoses_give_the_same_picture():
    pictures = [draw_lesion(3, diagnosis=name, height_px=96, width_px=128) for name in DIAGNOSES]
    for first, second in itertools.combinations(pictures, 2):
        assert np.abs(first.astype(int) - second).mean() > 2.0


def test_diagnoses_can_be_learned_but_not_read_off_the_mean_color():
    """A nearest-mean rule on a few measures is far above chance; on color alone, far from sure."""
    diagnosis_B, measures_BF = [], []
    for number, name in enumerate(DIAGNOSES):
        for seed in range(40):
            pixels_HWC = draw_lesion(
                1000 * number + seed, diagnosis=name, height_px=72, width_px=96
            )
            skin_C = np.median(pixels_HWC[:, :6], axis=(0, 1))
            lesion_HWC = pixels_HWC[18:54, 30:66] / np.maximum(skin_C, 1.0)
            inner_HWC = lesion_HWC[10:26, 10:26]
            edges = [np.abs(np.diff(lesion_HWC, axis=axis)).mean(axis=(0, 1)) for axis in (0, 1)]
            diagnosis_B.append(number)
            measures_BF.append(
                np.concatenate(
                    [
                        lesion_HWC.mean(axis=(0, 1)),
                        inner_HWC.mean(axis=(0, 1)),
                        lesion_HWC.std(axis=(0, 1)),
                        inner_HWC.std(axis=(0, 1)),
                        *edges,
                    ]
                )
            )
    diagnosis_B, measures_BF = np.array(diagnosis_B), np.array(measures_BF)
    measures_BF = (measures_BF - measures_BF.mean(axis=0)) / measures_BF.std(axis=0)
    is_train_B = np.arange(diagnosis_B.size) % 2 == 0

    def accuracy(columns):
        middle_KF = np.stack(
            [
                measures_BF[is_train_B & (diagnosis_B == number)][:, columns].mean(axis=0)
                for number in range(len(DIAGNOSES))
            ]
        )
        away_BK = np.linalg.norm(measures_BF[~is_train_B][:, None, columns] - middle_KF, axis=2)
        return (away_BK.argmin(axis=1) == diagnosis_B[~is_train_B]).mean()

    by_chance = 1 / len(DIAGNOSES)
    assert accuracy(slice(None)) > 3 * by_chance
    assert accuracy(slice(0, 3)) < 0.7
