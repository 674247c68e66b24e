"""The whole way once more, as a user goes it: files in, the device's answers out."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.errors import RunError

_AT_ONCE = 500
"""Files for one call; their names must fit into a command line."""


def probabilities_from_files(model: Path, paths: Sequence[Path]) -> NDArray[np.float64]:
    """
    Ask ``python -m device classify`` for every file.

    Args:
        model: ONNX file with a contract.
        paths: Pictures, in the order of the result.

    Returns:
        Calibrated probability of malignancy ``[N]``, that of a picture to be taken again too.

    Raises:
        RunError: The device refuses a file, or answers for another one.
    """
    probabilities: list[float] = []
    for start in range(0, len(paths), _AT_ONCE):
        chunk = [str(path) for path in paths[start : start + _AT_ONCE]]
        done = subprocess.run(  # noqa: S603 - our own program, file names as arguments
            [sys.executable, "-m", "device", "classify", "--model", str(model), *chunk],
            capture_output=True,
            text=True,
            check=False,
        )
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        if [answer.get("file") for answer in answers] != chunk:
            raise RunError(
                f"`device classify` gave {len(answers)} answers for {len(chunk)} files: "
                f"{done.stderr.strip()[-500:]}"
            )
        refused = [f"{a['file']}: {a['error']}" for a in answers if "error" in a]
        if refused:
            raise RunError(f"`device classify` refused {len(refused)} files; first {refused[0]}")
        probabilities += [answer["probability_malignant"] for answer in answers]
    return np.array(probabilities)
