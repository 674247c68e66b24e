"""Every stage has a cost, those that are off as well."""

import cv2

from training.ablation import stage_cost
from training.ablation.stage_cost import measure_stages
from training.recipes.preprocessing import six_stages


def test_all_six_stages_are_timed(monkeypatch):
    """The one that the baseline leaves out too: its row says what it would cost."""
    monkeypatch.setattr(stage_cost, "REPEATS", 2)
    threads = cv2.getNumThreads()
    small, large = measure_stages(
        six_stages(48, off=("color_constancy",)), sizes_px=((64, 48), (800, 600))
    )
    assert (small.width_px, small.height_px) == (64, 48)
    assert list(small.ms) == [
        "field_of_view",
        "resize",
        "hair_removal",
        "denoise",
        "color_constancy",
        "local_contrast",
    ]
    assert all(ms > 0 for ms in [*small.ms.values(), *large.ms.values()])
    assert large.ms["resize"] > small.ms["resize"]
    assert all(getattr(stage, "enabled", True) for stage in small.preprocess.stages)
    assert cv2.getNumThreads() == threads
