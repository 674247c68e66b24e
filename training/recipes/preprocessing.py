"""The six stages with our parameters, and which of them the shipped student goes without."""

from __future__ import annotations

from collections.abc import Collection

from device.core.manifest import (
    ColorConstancy,
    Denoise,
    FieldOfView,
    HairRemoval,
    LocalContrast,
    PreprocessSpec,
    Resize,
)

SHIPPED_OFF = ("hair_removal", "denoise", "color_constancy", "local_contrast")
"""They cost time and none was seen to help the ranking: docs/ablation.md."""


def six_stages(side_px: int, *, off: Collection[str] = ()) -> PreprocessSpec:
    """
    All six stages with mild parameters.

    Args:
        side_px: Of the model's input.
        off: Names of stages that are switched off.
    """
    return PreprocessSpec(
        version=2,
        stages=(
            FieldOfView(
                enabled="field_of_view" not in off, dark_share=0.3, smallest_side_share=0.5
            ),
            Resize(side_px=side_px),
            HairRemoval(
                enabled="hair_removal" not in off,
                kernel_px=7,
                threshold_levels=14,
                shortest_px=24,
                thickest_px=4.0,
                densest_share=0.15,
                inpaint_radius_px=2,
            ),
            Denoise(
                enabled="denoise" not in off,
                diameter_px=3,
                sigma_color_levels=12.0,
                sigma_space_px=1.5,
            ),
            ColorConstancy(enabled="color_constancy" not in off, norm_order=6),
            LocalContrast(enabled="local_contrast" not in off, clip_limit=1.0, tiles=4),
        ),
    )
