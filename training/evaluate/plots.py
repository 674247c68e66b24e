"""
The pictures of a report; each function draws one and writes it as PNG.

Colours are those of Okabe and Ito, which people with any colour vision tell apart.  Figures are
made without pyplot: nothing is global, and nothing opens a window.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score, roc_curve

from device.core.manifest import DIAGNOSES, Metric, OperatingPoint
from training.data.case import UNKNOWN
from training.evaluate.disturbances import DISTURBANCES, LEVELS
from training.evaluate.metrics import ECE_BINS, Scored
from training.evaluate.probes import CLEAN
from training.evaluate.ranking import HIGH_SENSITIVITY
from training.evaluate.robustness import Robustness
from training.evaluate.selective import SelectiveRisk, risk_curve
from training.evaluate.subgroups import LOWEST_AUROC, Subgroup

BLUE, ORANGE, GREEN, GRAY = "#0072B2", "#D55E00", "#009E73", "#8A8A8A"
_DPI = 130
_MARKERS = ("o", "s", "^", "D")
_FEW = 60
"""Epochs up to which each one gets a marker."""


def plot_curves(lines: Sequence[Mapping[str, float]], path: Path) -> None:
    """Draw the losses and the validation AUROC of every epoch, from the lines of a run."""
    epoch_E = [line["epoch"] for line in lines]
    figure = Figure(figsize=(9.6, 4.0), layout="constrained")
    loss_axes, auroc_axes = figure.subplots(1, 2)
    names = [name for name in lines[0] if name.startswith("loss_")]
    colors = (BLUE, ORANGE, GREEN, GRAY)
    marked = len(lines) <= _FEW
    for name, color, marker in zip(names, colors, _MARKERS, strict=False):
        loss_axes.plot(
            epoch_E,
            [line[name] for line in lines],
            color=color,
            marker=marker if marked else "",
            markersize=4,
            label=name.removeprefix("loss_").replace("kd_", "teacher's ").replace("_", " "),
        )
    loss_axes.set(xlabel="epoch", ylabel="training loss (nats)", title="Training loss")
    loss_axes.set_ylim(bottom=0)
    loss_axes.legend(frameon=False)
    auroc_E = [line["validation_auroc"] for line in lines]
    best = int(np.argmax(auroc_E))
    auroc_axes.plot(epoch_E, auroc_E, color=BLUE, marker="o" if marked else "", markersize=4)
    auroc_axes.plot(
        epoch_E[best],
        auroc_E[best],
        marker="*",
        markersize=15,
        color=ORANGE,
        linestyle="",
        label=f"kept: {auroc_E[best]:.3f} in epoch {epoch_E[best]:.0f}",
    )
    auroc_axes.set(
        xlabel="epoch", ylabel="AUROC, malignant against benign", title="Validation part"
    )
    auroc_axes.legend(frameon=False, loc="best")
    for axes in (loss_axes, auroc_axes):
        axes.xaxis.get_major_locator().set_params(integer=True)
        _quiet(axes)
    figure.savefig(path, dpi=_DPI)


def plot_roc(pictures: Scored, lesions: Scored, point: OperatingPoint, path: Path) -> None:
    """Draw the ROC of pictures and of lesions, the 95 % point and both thresholds."""
    figure = Figure(figsize=(5.6, 5.4), layout="constrained")
    axes = figure.subplots()
    axes.axhline(HIGH_SENSITIVITY, color=GRAY, linewidth=0.8, linestyle=":")
    axes.plot([0, 1], [0, 1], color=GRAY, linewidth=0.8, linestyle="--")
    for scored, what, color, style in (
        (lesions, "lesions", ORANGE, "--"),
        (pictures, "pictures", BLUE, "-"),
    ):
        false_U, true_U, _ = roc_curve(scored.malignant_N, scored.probability_N)
        auroc = roc_auc_score(scored.malignant_N, scored.probability_N)
        axes.plot(false_U, true_U, color=color, linestyle=style, label=f"{what}: AUROC {auroc:.3f}")
    # The pictures' curve is drawn last, and the points lie on it.
    first = int(np.argmax(true_U >= HIGH_SENSITIVITY - 1e-9))
    axes.plot(
        false_U[first],
        true_U[first],
        marker="*",
        markersize=15,
        color=BLUE,
        linestyle="",
        label=f"95 % sensitivity: specificity {1 - false_U[first]:.3f}",
    )
    for threshold, name, marker in (
        (point.benign_below, "benign_below", "v"),
        (point.malignant_from, "malignant_from", "^"),
    ):
        above_N = pictures.probability_N >= threshold
        axes.plot(
            above_N[~pictures.malignant_N].mean(),
            above_N[pictures.malignant_N].mean(),
            marker=marker,
            markersize=8,
            color=GREEN,
            markeredgecolor="black",
            linestyle="",
            label=f"{name} = {threshold:.3f}",
        )
    axes.set(
        xlabel="1 - specificity (share of benign called suspicious)",
        ylabel="sensitivity (share of malignant found)",
        title="ROC, malignant against benign",
        xlim=(-0.01, 1.01),
        ylim=(-0.01, 1.01),
        aspect="equal",
    )
    axes.legend(loc="lower right", frameon=False)
    _quiet(axes)
    figure.savefig(path, dpi=_DPI)


def plot_reliability(pictures: Scored, path: Path) -> None:
    """Draw what was promised against what came true, before and after calibration."""
    figure = Figure(figsize=(5.6, 6.4), layout="constrained")
    axes, counts_axes = figure.subplots(2, 1, height_ratios=(3.2, 1), sharex=True)
    axes.plot([0, 1], [0, 1], color=GRAY, linewidth=0.8, linestyle="--", label="as promised")
    edges = np.linspace(0, 1, ECE_BINS + 1)
    for probability_N, what, color, marker in (
        (pictures.uncalibrated_N, "before calibration", ORANGE, "s"),
        (pictures.probability_N, "calibrated", BLUE, "o"),
    ):
        bin_N = np.minimum((probability_N * ECE_BINS).astype(int), ECE_BINS - 1)
        count_B = np.bincount(bin_N, minlength=ECE_BINS)
        full_B = count_B > 0
        promised_B = np.bincount(bin_N, weights=probability_N, minlength=ECE_BINS)[full_B]
        true_B = np.bincount(bin_N, weights=pictures.malignant_N, minlength=ECE_BINS)[full_B]
        count_B = count_B[full_B]
        error = np.abs(true_B - promised_B).sum() / len(probability_N)
        share_B = true_B / count_B
        # One standard error of a share, so that thin bins look as uncertain as they are.
        axes.errorbar(
            promised_B / count_B,
            share_B,
            yerr=np.sqrt(share_B * (1 - share_B) / count_B),
            color=color,
            marker=marker,
            markersize=5,
            linewidth=1.2,
            elinewidth=0.8,
            label=f"{what}: ECE {error:.3f}",
        )
        counts_axes.hist(
            probability_N, bins=list(edges), histtype="step", color=color, linewidth=1.4
        )
    axes.set(ylabel="share that is malignant", title="Reliability", ylim=(-0.02, 1.02))
    axes.legend(frameon=False, loc="upper left")
    counts_axes.set(
        xlabel="probability of malignancy", ylabel="pictures", yscale="log", xlim=(0, 1)
    )
    counts_axes.set_ylim(bottom=0.8)
    for each in (axes, counts_axes):
        _quiet(each)
    figure.savefig(path, dpi=_DPI)


def confusion(pictures: Scored) -> NDArray[np.int64]:
    """Count pictures by true diagnosis (rows) and most probable one (columns), ``[K, K]``."""
    known_N = pictures.diagnosis_N != UNKNOWN
    guess_N = pictures.diagnosis_probability_NK.argmax(axis=1)
    counts_KK = np.zeros((len(DIAGNOSES), len(DIAGNOSES)), dtype=np.int64)
    np.add.at(counts_KK, (pictures.diagnosis_N[known_N], guess_N[known_N]), 1)
    return counts_KK


def plot_confusion(counts_KK: NDArray[np.int64], path: Path) -> None:
    """Draw the confusion matrix: shares of each true diagnosis as shade, counts as text."""
    shares_KK = counts_KK / np.maximum(1, counts_KK.sum(axis=1, keepdims=True))
    figure = Figure(figsize=(6.6, 5.8), layout="constrained")
    axes = figure.subplots()
    shown = axes.imshow(shares_KK, cmap="Blues", vmin=0, vmax=1)
    for row in range(len(DIAGNOSES)):
        for column in range(len(DIAGNOSES)):
            share = shares_KK[row, column]
            axes.text(
                column,
                row,
                f"{share:.0%}\n{counts_KK[row, column]}",
                ha="center",
                va="center",
                fontsize=9,
                color="white" if share > 0.55 else "black",  # noqa: PLR2004 - legible on both sides
            )
    rows = [f"{code} ({count})" for code, count in zip(DIAGNOSES, counts_KK.sum(1), strict=True)]
    axes.set_xticks(range(len(DIAGNOSES)), DIAGNOSES)
    axes.set_yticks(range(len(DIAGNOSES)), rows)
    axes.set(
        xlabel="most probable diagnosis",
        ylabel="true diagnosis (pictures)",
        title="Diagnoses: share of the true one, and count",
    )
    figure.colorbar(shown, ax=axes, label="share of the true diagnosis", shrink=0.85)
    figure.savefig(path, dpi=_DPI)


def plot_worst(
    pictures: Scored,
    pixels_NSSC: NDArray[np.uint8],
    names: Sequence[str],
    path: Path,
    *,
    each: int = 12,
) -> None:
    """
    Show the malignant pictures that looked most benign, and the reverse, as the network saw them.

    The sheet shows pictures of the data set: it stays in the run's folder.

    Args:
        pictures: Answers and truth.
        pixels_NSSC: Prepared pictures, in the same order.
        names: Of the pictures, in the same order.
        path: PNG to write.
        each: Pictures of each kind, at most.
    """
    columns = each // 2
    figure = Figure(figsize=(1.75 * columns, 9.6), layout="constrained")
    (upper,), (lower,) = figure.subfigures(2, 1, squeeze=False, hspace=0.04)
    for half, wanted, title in (
        (upper, True, "malignant, taken for benign"),
        (lower, False, "benign, taken for malignant"),
    ):
        chosen = np.flatnonzero(pictures.malignant_N == wanted)
        order = np.argsort(pictures.probability_N[chosen] * (1 if wanted else -1), kind="stable")
        chosen = chosen[order][:each]
        half.suptitle(f"Worst errors: {title}", fontsize=13)
        for axes, place in zip(half.subplots(2, columns).flat, chosen, strict=False):
            axes.imshow(pixels_NSSC[place])
            index = pictures.diagnosis_N[place]
            axes.set_title(
                f"{'' if index == UNKNOWN else DIAGNOSES[index]} "
                f"p = {pictures.probability_N[place]:.3f}",
                fontsize=10,
            )
            axes.set_xlabel(names[int(place)].rsplit("/", 1)[-1], fontsize=8)
        for axes in half.axes:
            axes.set(xticks=[], yticks=[])
            axes.set_frame_on(bool(axes.images))
    figure.savefig(path, dpi=_DPI)


def plot_risk(pictures: Scored, selective: SelectiveRisk, path: Path) -> None:
    """Draw the share of wrong answers against the share of pictures that are answered."""
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.subplots()
    coverage_Q, risk_Q = risk_curve(pictures)
    axes.plot(coverage_Q, risk_Q, color=BLUE, label="surest pictures first, threshold one half")
    stated = list(selective.by_coverage.items())
    axes.errorbar(
        [coverage for coverage, _ in stated],
        [metric.value for _, metric in stated],
        yerr=[
            [metric.value - metric.low for _, metric in stated],
            [metric.high - metric.value for _, metric in stated],
        ],
        color=BLUE,
        linestyle="",
        marker="o",
        markersize=4,
        elinewidth=0.9,
        capsize=2,
        label="95 % intervals",
    )
    if selective.shipped_risk is not None:
        axes.plot(
            selective.shipped_coverage,
            selective.shipped_risk.value,
            marker="*",
            markersize=15,
            color=ORANGE,
            linestyle="",
            label="both thresholds of the contract",
        )
    axes.set(
        xlabel="coverage (share of pictures that are answered)",
        ylabel="risk (share of answers that are wrong)",
        title="Risk against coverage",
        xlim=(0, 1.02),
    )
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, loc="upper left")
    _quiet(axes)
    figure.savefig(path, dpi=_DPI)


def plot_subgroups(groups: Sequence[Subgroup], overall: Metric, path: Path) -> None:
    """Draw each group's AUROC with its interval, and the number of its lesions."""
    shown = [group for group in groups if "auroc" in group.metrics]
    figure = Figure(figsize=(8.2, 1.2 + 0.27 * len(shown)), layout="constrained")
    axes = figure.subplots()
    axes.axvspan(overall.low, overall.high, color=BLUE, alpha=0.12, linewidth=0)
    axes.axvline(overall.value, color=BLUE, linewidth=1, label=f"all: {overall.value:.3f}")
    axes.axvline(
        LOWEST_AUROC, color=GRAY, linewidth=1, linestyle="--", label=f"{LOWEST_AUROC}: named below"
    )
    for row, group in enumerate(shown):
        metric = group.metrics["auroc"]
        axes.errorbar(
            metric.value,
            row,
            xerr=[[metric.value - metric.low], [metric.high - metric.value]],
            color=ORANGE if group.is_weak else BLUE,
            marker="s" if group.is_weak else "o",
            markersize=4.5,
            elinewidth=1,
            capsize=2,
        )
    labels = [
        f"{group.trait}: {group.value}{' †' if group.one_label else ''} ({group.lesions:,})"
        for group in shown
    ]
    axes.set_yticks(range(len(shown)), labels, fontsize=8.5)
    lowest = min((group.metrics["auroc"].low for group in shown), default=0.5)
    axes.set(
        xlabel="AUROC per picture, with 95 % interval",
        title="By subgroup (lesions); orange squares: weak",
        xlim=(max(0.0, min(0.6, lowest - 0.02)), 1.005),
        ylim=(len(shown) - 0.4, -0.6),
    )
    axes.legend(frameon=False, loc="lower left", fontsize=8.5)
    _quiet(axes)
    figure.savefig(path, dpi=_DPI)


def plot_robustness(found: Robustness, path: Path) -> None:
    """Draw, for each disturbance, AUROC and answers against the level."""
    figure = Figure(figsize=(9.6, 8.6), layout="constrained")
    clean = found.disturbed[CLEAN, 0]
    lines = (
        ("auroc", "AUROC", BLUE, "o"),
        ("called_benign_share", "malignant called benign", ORANGE, "s"),
        ("uncertain_share", "uncertain", GREEN, "^"),
        ("retake_share", "retake", GRAY, "D"),
    )
    levels = [0, *LEVELS]
    all_axes = figure.subplots(3, 3, sharex=True, sharey=True).flat
    for axes, disturbance in zip(all_axes, DISTURBANCES, strict=True):
        rows = [clean, *(found.disturbed[disturbance, level] for level in LEVELS)]
        for name, words, color, marker in lines:
            axes.plot(
                levels,
                [row[name].value for row in rows],
                color=color,
                marker=marker,
                markersize=4,
                label=words,
            )
        axes.fill_between(
            levels,
            [row["auroc"].low for row in rows],
            [row["auroc"].high for row in rows],
            color=BLUE,
            alpha=0.15,
            linewidth=0,
        )
        axes.set(title=disturbance, ylim=(0, 1), xticks=levels)
        _quiet(axes)
    figure.supxlabel("level; 0 is the picture as it is")
    figure.supylabel("AUROC, or share")
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside upper center", ncols=4, frameon=False
    )
    figure.savefig(path, dpi=_DPI)


def _quiet(axes: Axes) -> None:
    axes.grid(color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
