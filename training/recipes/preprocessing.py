"""The six stages as we ship them."""

from __future__ import annotations

from device.core.manifest import (
    ColorConstancy,
    Denoise,
    FieldOfView,
    HairRemoval,
    LocalContrast,
    PreprocessSpec,
    Resize,
)


def six_stages(side_px: int, *, color_constancy: bool = True) -> PreprocessSpec:
    """All six stages with mild parameters, for a model of *side_px*; one can be switched off."""
    return PreprocessSpec(
        version=1,
        stages=(
            FieldOfView(enabled=True, dark_share=0.3, smallest_side_share=0.5),
            Resize(side_px=side_px),
            HairRemoval(
                enabled=True,
                kernel_px=7,
                threshold_levels=14,
                shortest_px=24,
                thickest_px=4.0,
                densest_share=0.15,
                inpaint_radius_px=2,
            ),
            Denoise(enabled=True, diameter_px=3, sigma_color_levels=12.0, sigma_space_px=1.5),
            ColorConstancy(enabled=color_constancy, norm_order=6),
            LocalContrast(enabled=True, clip_limit=1.0, tiles=4),
        ),
    )
