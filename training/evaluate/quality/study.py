"""Let gate and novelty judge pictures, and count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from device.classifier import OnnxClassifier
from device.core.values import Pixels
from device.decision import decide
from device.preprocess import model_input, working_copy
from device.quality import assess
from training.data.case import Case, load_pixels
from training.evaluate.quality.bad_pictures import BAD, draw_bad, draw_good

GOOD = "as drawn"
NOT_A_LESION = "not_a_lesion"
ALSO_RIGHT = {"no_lesion": frozenset({"flat"})}
"""Skin without a lesion and a picture of one color are told apart by a hair's breadth, and what to
do is the same."""

MOST_REFUSED, MOST_OF_ANY = 0.03, 0.05
"""Shares of real test pictures that may be refused: of all, and of any diagnosis."""
LEAST_RIGHT = 0.95
"""Share of each kind of drawn bad pictures that must be refused for the right reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What was said of one picture."""

    kind: str
    """Its diagnosis, or the kind of bad picture."""
    gate: tuple[str, ...]
    """Codes of the gate's reasons; none if it passed."""
    is_novel: bool
    """Whether the network found it unlike all training pictures, the gate apart."""
    advice: tuple[str, ...]

    @property
    def is_refused(self) -> bool:
        """Whether it was to be taken again."""
        return bool(self.gate) or self.is_novel


def judge(classifier: OnnxClassifier, kind: str, image_HWC: Pixels) -> Judged:
    """Look at a picture as the device does."""
    manifest = classifier.manifest
    working_HWC = working_copy(image_HWC, manifest.preprocess)
    quality = assess(working_HWC, manifest.quality)
    prediction = classifier.classify(model_input(working_HWC, manifest.preprocess))
    return Judged(
        kind=kind,
        gate=tuple(reason.code for reason in quality.reasons),
        is_novel=decide(prediction, quality, manifest).novelty > 1.0,
        advice=tuple(reason.code for reason in quality.advice),
    )


def judge_cases(classifier: OnnxClassifier, cases: Iterable[Case]) -> list[Judged]:
    """Judge real pictures; the kind is the diagnosis."""
    return [judge(classifier, case.diagnosis or "unknown", load_pixels(case)) for case in cases]


def judge_drawn(classifier: OnnxClassifier, count: int, *, first_seed: int) -> list[Judged]:
    """Judge *count* drawn pictures of each bad kind, and as many as they were before."""
    seeds = range(first_seed, first_seed + count)
    judged = [judge(classifier, GOOD, draw_good(seed)) for seed in seeds]
    for kind in BAD:
        judged += [judge(classifier, kind, draw_bad(kind, seed)) for seed in seeds]
    return judged


def too_often_refused(judged: Sequence[Judged]) -> list[str]:
    """Name what is refused more often than it may be, of real pictures: all, or a diagnosis."""
    groups = {kind: [each for each in judged if each.kind == kind] for kind in _kinds(judged)}
    limits = {"all": (judged, MOST_REFUSED), **{k: (g, MOST_OF_ANY) for k, g in groups.items()}}
    return [
        f"{name}: {count} of {len(among)} refused, more than {limit:.0%}"
        for name, (among, limit) in limits.items()
        if (count := sum(each.is_refused for each in among)) > limit * len(among)
    ]


def too_seldom_right(judged: Sequence[Judged]) -> list[str]:
    """Name the kinds of drawn bad pictures that get the right reason too seldom."""
    return [
        f"{kind}: {count} of {len(among)} for the right reason, less than {LEAST_RIGHT:.0%}"
        for kind in BAD
        if (among := [each for each in judged if each.kind == kind])
        if (count := sum(_is_right(each) for each in among)) < LEAST_RIGHT * len(among)
    ]


def _is_right(drawn: Judged) -> bool:
    return bool(({drawn.kind} | ALSO_RIGHT.get(drawn.kind, frozenset())) & set(drawn.gate))


def _kinds(judged: Sequence[Judged]) -> list[str]:
    return sorted({each.kind for each in judged})


def table_of_real(judged: Sequence[Judged]) -> str:
    """Refusals by diagnosis, Markdown."""
    kinds = _kinds(judged)
    lines = ["| | pictures | gate | novelty | together |", "| --- | --- | --- | --- | --- |"]
    for name, among in [
        ("all", list(judged)),
        *((kind, [each for each in judged if each.kind == kind]) for kind in kinds),
    ]:
        counts = (
            sum(bool(each.gate) for each in among),
            sum(each.is_novel for each in among),
            sum(each.is_refused for each in among),
        )
        cells = (f"{count} ({count / len(among):.2%})" for count in counts)
        lines.append(f"| {name} | {len(among)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def table_of_reasons(judged: Sequence[Judged]) -> str:
    """How often each reason and each advice was given, Markdown."""
    lines = ["| reason or advice | pictures |", "| --- | --- |"]
    for codes in (
        Counter(code for each in judged for code in each.gate),
        Counter(f"{code} (advice)" for each in judged for code in each.advice),
    ):
        lines += [
            f"| {code} | {count} ({count / len(judged):.2%}) |"
            for code, count in codes.most_common()
        ]
    return "\n".join(lines)


def table_of_drawn(judged: Sequence[Judged]) -> str:
    """How often each kind was refused, and for the right reason, Markdown."""
    lines = [
        "| drawn | pictures | refused by the gate | with the right reason | other reasons alone |",
        "| --- | --- | --- | --- | --- |",
    ]
    for kind in (GOOD, *BAD):
        among = [each for each in judged if each.kind == kind]
        refused = sum(bool(each.gate) for each in among)
        rightly = sum(_is_right(each) for each in among)
        others = Counter(each.gate[0] for each in among if each.gate and not _is_right(each))
        told = ", ".join(f"{code} {count}" for code, count in others.most_common()) or "–"
        share = "–" if kind == GOOD else f"{rightly / len(among):.1%}"
        lines.append(f"| {kind} | {len(among)} | {refused / len(among):.1%} | {share} | {told} |")
    return "\n".join(lines)
