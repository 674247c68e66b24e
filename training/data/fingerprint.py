"""A digest of exactly these pictures, so that a model can say what it has seen."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from training.data.case import Case


def fingerprint(cases: Iterable[Case]) -> str:
    """SHA-256 over the sorted names, labels and content digests of *cases*."""
    lines = sorted(
        f"{case.image_id} {case.diagnosis} {case.malignant} "
        f"{hashlib.sha256(case.path.read_bytes()).hexdigest()}\n"
        for case in cases
    )
    return hashlib.sha256("".join(lines).encode()).hexdigest()
