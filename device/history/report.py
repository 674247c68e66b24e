"""
One page about one result, to hand to a doctor: a PDF in A4.

The page says what was answered in words, what that does not mean, and on what it rests: picture,
heatmap, reasons, quality, model, and whether the clock was right.
"""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Mapping

from reportlab.lib.utils import ImageReader, simpleSplit
from reportlab.pdfgen.canvas import Canvas

from device.core.document import NOTICE
from device.core.manifest import DIAGNOSIS_NAMES
from device.core.results import ResultDocument
from device.core.values import Result

_WIDTH_PT, _HEIGHT_PT = 595.0, 842.0
"""A4 in points, 1/72 inch."""
_MARGIN_PT = 50.0
_TEXT_WIDTH_PT = _WIDTH_PT - 2 * _MARGIN_PT
_PICTURE_PT = 230.0
"""Height of picture and heatmap."""
_GAP_PT = 16.0
_PLAIN, _BOLD = "Helvetica", "Helvetica-Bold"
_BODY_PT, _SMALL_PT = 10.0, 8.0
_LEADING = 1.35
"""Distance of lines over the size of the letters."""
_ENCODING = "cp1252"
"""What the fonts that every PDF reader has can show."""
_REMARK = "A question mark may stand for a letter that this page's fonts lack."

WORDS: Mapping[Result, str] = {
    Result.BENIGN: "Benign: the picture resembles those of harmless lesions.",
    Result.MALIGNANT: "Malignant: the picture resembles those of malignant lesions.",
    Result.UNCERTAIN: "Uncertain: the picture resembles neither kind clearly.",
    Result.RETAKE: "Retake: the picture shows too little, or no lesion.",
}
NOT_MEANT: Mapping[Result, str] = {
    Result.BENIGN: "This does not mean that the lesion is harmless. Some malignant lesions look "
    "harmless in a picture; one that changes, itches, bleeds or worries belongs before a doctor.",
    Result.MALIGNANT: "This does not mean that there is cancer. Many lesions that look suspicious "
    "in a picture turn out to be harmless; a doctor's examination decides.",
    Result.UNCERTAIN: "This does not mean that all is well, nor the opposite. It means that the "
    "program cannot tell, and that a doctor should look.",
    Result.RETAKE: "This says nothing about the lesion. No probability is given, because none "
    "could be trusted.",
}
CONFIRMED_BY: Mapping[str, str] = {
    "histo": "by a tissue sample",
    "follow_up": "by follow-up",
    "consensus": "by consensus of experts",
    "confocal": "by confocal microscopy",
}


def report(result: ResultDocument, *, jpeg: bytes | None, heatmap_png: bytes) -> bytes:
    """
    Draw the page.

    Args:
        result: What was answered, and what people added.
        jpeg: The kept picture; None if it was not kept.
        heatmap_png:
            From :func:`device.history.heatmap.heatmap`.  Left out where another picture was
            asked for: what was not answered for has no evidence worth a look.

    Returns:
        A PDF file of one page.  Letters that its fonts lack become the nearest that they have,
        or a question mark; the page then says so.

    Threads: pure.
    """
    file = io.BytesIO()
    page = _Page(Canvas(file, pagesize=(_WIDTH_PT, _HEIGHT_PT)), f"EdgeDerm result {result.id}")
    page.text("EdgeDerm: one picture, one answer", font=_BOLD, size_pt=16)
    page.text(NOTICE, size_pt=_SMALL_PT)
    page.space(6)
    page.text(WORDS[result.result], font=_BOLD, size_pt=13)
    if result.result is not Result.RETAKE:
        page.text(
            f"Probability of a malignant lesion, as this model estimates it: "
            f"{result.probability_malignant:.0%}"
        )
    page.text(NOT_MEANT[result.result])
    page.space(6)
    is_answered = result.result is not Result.RETAKE
    page.pictures(jpeg, heatmap_png if is_answered else None)
    page.text(_caption(is_kept=jpeg is not None, is_answered=is_answered), size_pt=_SMALL_PT)
    page.space(6)
    for name, value in _facts(result):
        page.fact(name, value)
    if result.note:
        page.fact("Note", result.note, size_pt=_SMALL_PT)
    page.finish()
    return file.getvalue()


def _caption(*, is_kept: bool, is_answered: bool) -> str:
    if not is_answered:
        return "The picture." if is_kept else "The picture was not kept."
    if is_kept:
        return (
            "Left: the picture. Right: where the model found evidence for malignancy, yellow more "
            "than violet."
        )
    return (
        "Where the model found evidence for malignancy, yellow more than violet; the picture "
        "itself was not kept."
    )


def printable(text: str) -> str:
    """Replace what the page's fonts cannot show by the nearest letters, or a question mark."""
    return "".join(map(_shown, text))


def _shown(letter: str) -> str:
    if _has(letter):
        return letter
    plain = "".join(part for part in unicodedata.normalize("NFKD", letter) if _has(part))
    return plain or ("" if unicodedata.combining(letter) else "?")


def _has(letter: str) -> bool:
    try:
        letter.encode(_ENCODING)
    except UnicodeEncodeError:
        return False
    return letter.isprintable()


def _facts(result: ResultDocument) -> list[tuple[str, str]]:
    facts = [
        ("Why", "; ".join(reason.text for reason in result.reasons)),
        ("Patient", result.patient_reference),
        ("Lesion", result.lesion_reference),
        ("Confirmed later", _confirmed(result)),
        (
            "Taken",
            f"{result.captured_at:%Y-%m-%d %H:%M:%S} UTC, source {result.source}"
            + ("" if result.clock_trusted else "; the clock had not been set, so do not trust it"),
        ),
        ("Quality", _quality(result.quality)),
        (
            "Model",
            _model(result),
        ),
        ("Result", f"{result.id}, number {result.sequence}"),
    ]
    return [(name, value) for name, value in facts if value]


def _confirmed(result: ResultDocument) -> str | None:
    code, how = result.confirmed_diagnosis, result.diagnosis_confirm_type
    if code is None:
        return None
    # A newer software may have written what this one has no words for.
    named = f"{DIAGNOSIS_NAMES[code]} ({code})" if code in DIAGNOSIS_NAMES else code
    return named if how is None else f"{named}, {CONFIRMED_BY.get(how, how)}"


def _model(result: ResultDocument) -> str:
    model = result.model
    digest = model.sha256[:16]
    return f"{model.name} {model.version} ({digest}), software {result.software_version}"


def _quality(quality: Mapping[str, object]) -> str:
    return ", ".join(
        f"{name.replace('_', ' ')} {value:.3g}"
        for name, value in quality.items()
        if isinstance(value, int | float)
    )


class _Page:
    """Draws from the top down; what does not fit any more is left out with a sign for it."""

    def __init__(self, canvas: Canvas, title: str) -> None:
        self._canvas = canvas
        self._top_pt = _HEIGHT_PT - _MARGIN_PT
        self._is_changed = False
        canvas.setTitle(title)
        canvas.setAuthor("EdgeDerm")

    def space(self, height_pt: float) -> None:
        self._top_pt -= height_pt

    def text(
        self, text: str, *, font: str = _PLAIN, size_pt: float = _BODY_PT, indent_pt: float = 0.0
    ) -> None:
        width_pt = _TEXT_WIDTH_PT - indent_pt
        step_pt = size_pt * _LEADING
        shown = [printable(line) for line in text.splitlines()]
        self._is_changed |= any("?" in line for line in shown) and "?" not in text
        lines = [
            part for line in shown for part in (simpleSplit(line, font, size_pt, width_pt) or [""])
        ]
        # The last line of the page belongs to the remark about missing letters.
        room = int((self._top_pt - _MARGIN_PT - _SMALL_PT * _LEADING) // step_pt)
        if len(lines) > room:
            lines = [*lines[: max(0, room - 1)], "..."][: max(0, room)]
        self._canvas.setFont(font, size_pt)
        for line in lines:
            self._top_pt -= step_pt
            self._canvas.drawString(_MARGIN_PT + indent_pt, self._top_pt, line)

    def fact(self, name: str, value: str, *, size_pt: float = _BODY_PT) -> None:
        beside_pt = self._top_pt - _BODY_PT * _LEADING
        if beside_pt < _MARGIN_PT + _SMALL_PT * _LEADING:
            return
        self._canvas.setFont(_BOLD, _BODY_PT)
        self._canvas.drawString(_MARGIN_PT, beside_pt, name)
        self.text(value, size_pt=size_pt, indent_pt=90.0)
        self.space(2)

    def pictures(self, *files: bytes | None) -> None:
        left_pt = _MARGIN_PT
        for file in files:
            if file is None:
                continue
            image = ImageReader(io.BytesIO(file))
            width, height = image.getSize()
            # Two side by side have to fit, whatever their shape.
            scale = min(_PICTURE_PT / height, (_TEXT_WIDTH_PT - _GAP_PT) / 2 / width)
            self._canvas.drawImage(
                image,
                left_pt,
                self._top_pt - height * scale,
                width=width * scale,
                height=height * scale,
            )
            left_pt += width * scale + _GAP_PT
        if any(file is not None for file in files):
            self._top_pt -= _PICTURE_PT

    def finish(self) -> None:
        if self._is_changed:
            self._canvas.setFont(_PLAIN, _SMALL_PT)
            self._canvas.drawString(_MARGIN_PT, _MARGIN_PT, _REMARK)
        self._canvas.showPage()
        self._canvas.save()
