"""
For whom a model is good and for whom not: figures by diagnosis, person, place and picture.

Legend: ``N`` pictures, ``W`` rows of weights, ``G`` groups.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.core.manifest import DIAGNOSES, Metric, OperatingPoint, PreprocessSpec
from device.preprocess import working_copy
from training.data.case import Case, load_pixels
from training.evaluate.bootstrap import DRAWS, Figures, draw_groups, with_intervals
from training.evaluate.metrics import Scored
from training.evaluate.ranking import Ranking, share
from training.evaluate.surroundings import NO_TONE, TONES, tone, typology_angle

AGES = ((0, "under 30"), (30, "30 to 44"), (45, "45 to 59"), (60, "60 to 74"), (75, "75 and more"))
"""First year of a band, and its name."""
NOT_KNOWN = "not known"
ENOUGH_LESIONS, LOWEST_AUROC = 100, 0.85
"""A group of more lesions with a lower AUROC is named in report and card."""
FEWEST_LESIONS = 10
"""Malignant or benign ones, below which a figure about them is left out: redrawing so few says
nothing of others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subgroup:
    """Pictures that share a trait."""

    trait: str
    value: str
    pictures: int
    lesions: int
    malignant_lesions: int
    one_label: bool
    """The group is all benign or all malignant: its AUROC is taken against all pictures of the
    part that have the other label."""
    metrics: Mapping[str, Metric]
    """``auroc``, ``sensitivity_at_benign_below``, ``specificity_at_benign_below``, per picture;
    those that rest on enough lesions."""

    @property
    def is_weak(self) -> bool:
        """Whether the group is large enough to be judged, and judged badly."""
        return (
            self.lesions > ENOUGH_LESIONS
            and "auroc" in self.metrics
            and self.metrics["auroc"].value < LOWEST_AUROC
        )

    @property
    def title(self) -> str:
        """Name, size, and against what the AUROC is taken if that is not the group itself."""
        other = "benign" if self.malignant_lesions else "malignant"
        against = f", against all {other} pictures" if self.one_label else ""
        return f"{self.trait} {self.value} ({self.lesions} lesions{against})"

    def document(self) -> dict[str, Any]:
        """Return the group for a JSON file."""
        metrics = {name: metric.model_dump() for name, metric in self.metrics.items()}
        return asdict(self) | {"metrics": metrics, "weak": self.is_weak}


def subgroups(
    cases: Sequence[Case],
    scored: Scored,
    operating_point: OperatingPoint,
    *,
    tones: Sequence[str] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> list[Subgroup]:
    """
    Work out figures for every group that a case's fields tell apart.

    Args:
        cases: Of the part, in order.
        scored: Answers and truth, per picture, in the same order.
        operating_point: Of the model.
        tones: Skin tone of each picture, from :func:`skin_tones`; None leaves it out.
        draws: Bootstrap samples; all groups meet the same ones.
        seed: Of the draws.

    Returns:
        Groups in the order of traits, each trait's values in their natural order.
    """
    counts_WG = draw_groups(int(scored.group_N.max()) + 1, draws=draws, seed=seed)
    found = []
    for trait, value_of, order in _traits(cases, tones):
        present = {value for value in value_of if value in order}
        others = sorted(set(value_of) - present - {NOT_KNOWN})
        values = [value for value in order if value in present] + others
        if len(values) + (NOT_KNOWN in value_of) < 2:  # noqa: PLR2004 - one group is no grouping
            continue
        for value in [*values, *([NOT_KNOWN] if NOT_KNOWN in value_of else [])]:
            member_N = np.array([each == value for each in value_of])
            found.append(_subgroup(trait, value, member_N, scored, operating_point, counts_WG))
    return found


def weak_subgroups(groups: Sequence[Subgroup]) -> list[str]:
    """Name every group of enough lesions whose AUROC is too low, for report and card."""
    return [
        f"{group.title}: AUROC {group.metrics['auroc'].value:.3f} "
        f"({group.metrics['auroc'].low:.3f} to {group.metrics['auroc'].high:.3f})"
        for group in groups
        if group.is_weak
    ]


def skin_tones(cases: Sequence[Case], spec: PreprocessSpec) -> list[str]:
    """Measure the skin around the lesion of every picture, on the device's working copy."""
    return [tone(typology_angle(working_copy(load_pixels(case), spec))) for case in cases]


def _traits(
    cases: Sequence[Case], tones: Sequence[str] | None
) -> list[tuple[str, list[str], tuple[str, ...]]]:
    """Name of each trait, its value for every case, and the natural order of its values."""
    traits: list[tuple[str, list[str], tuple[str, ...]]] = [
        ("diagnosis", [case.diagnosis or NOT_KNOWN for case in cases], DIAGNOSES),
        (
            "diagnosis confirmed by",
            [case.diagnosis_confirm_type or NOT_KNOWN for case in cases],
            (),
        ),
        ("sex", [case.sex or NOT_KNOWN for case in cases], ()),
        ("age", [_age(case.age_approx) for case in cases], tuple(name for _, name in AGES)),
        ("body site", [case.anatom_site or NOT_KNOWN for case in cases], ()),
    ]
    if tones is not None:
        traits.append(("skin tone", list(tones), (*(name for _, name in TONES), NO_TONE)))
    return traits


def _age(years: float | None) -> str:
    if years is None:
        return NOT_KNOWN
    return next(name for first, name in reversed(AGES) if years >= first)


def _subgroup(
    trait: str,
    value: str,
    member_N: NDArray[np.bool_],
    scored: Scored,
    operating_point: OperatingPoint,
    counts_WG: NDArray[np.int64],
) -> Subgroup:
    malignant_N = scored.malignant_N
    labels = set(malignant_N[member_N].tolist())
    one_label = len(labels) == 1
    ranked_N = member_N | (malignant_N != labels.pop()) if one_label else member_N
    metrics = with_intervals(
        _figures(scored, member_N, ranked_N, operating_point), scored.group_N, counts_WG
    )

    def enough(picture_N: NDArray[np.bool_]) -> bool:
        return len(set(scored.group_N[picture_N])) >= FEWEST_LESIONS

    rests_on = {
        "auroc": enough(ranked_N & malignant_N) and enough(ranked_N & ~malignant_N),
        "sensitivity_at_benign_below": enough(member_N & malignant_N),
        "specificity_at_benign_below": enough(member_N & ~malignant_N),
    }
    return Subgroup(
        trait=trait,
        value=value,
        pictures=int(member_N.sum()),
        lesions=len(set(scored.group_N[member_N])),
        malignant_lesions=len(set(scored.group_N[member_N & malignant_N])),
        one_label=one_label,
        metrics={name: metric for name, metric in metrics.items() if rests_on[name]},
    )


def _figures(
    scored: Scored,
    member_N: NDArray[np.bool_],
    ranked_N: NDArray[np.bool_],
    operating_point: OperatingPoint,
) -> Figures:
    """AUROC of the ranked pictures, sensitivity and specificity of the members."""
    ranking = Ranking(scored.probability_N[ranked_N], scored.malignant_N[ranked_N])
    above_N = scored.probability_N >= operating_point.benign_below
    malignant_N = member_N & scored.malignant_N
    benign_N = member_N & ~scored.malignant_N

    def of(weight_WN: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        return {
            "auroc": ranking.auroc(weight_WN[:, ranked_N]),
            "sensitivity_at_benign_below": share(weight_WN, above_N, malignant_N),
            "specificity_at_benign_below": share(weight_WN, ~above_N, benign_N),
        }

    return of
