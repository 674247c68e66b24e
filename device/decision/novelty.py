"""How unlike the training pictures a picture is, as far as the network can tell."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from device.core.manifest import OutOfDistribution

_SMALLEST_LENGTH = 1e-12
"""An embedding shorter than this has no direction; it is left at nothing, far from everything."""


def novelty(embedding_D: NDArray[np.float32], spec: OutOfDistribution) -> float:
    """
    Distance of an embedding from those of the training pictures, 1 at the contract's limit.

    The length of an embedding says how much contrast a picture has, its direction what is in it:
    only the direction counts.  Its distance is Mahalanobis', per dimension, under the contract's
    factors and noise.

    Args:
        embedding_D: fp32 ``[D]``, of the network.
        spec: Of the same model's contract.

    Returns:
        0 or more; above 1 the picture is not like those that the model was made for.

    Threads: pure.

    Sources: Lee et al., "A simple unified framework for detecting out-of-distribution samples"
    (NeurIPS 2018); Mueller & Hein, "Mahalanobis++" (ICML 2025) for the unit length; the inverse
    of a covariance in factors is Woodbury's.
    """
    mean_D, weight_D, explaining_FD = _unpacked(spec)
    entry_D = embedding_D.astype(np.float64)
    length = max(float(np.linalg.norm(entry_D)), _SMALLEST_LENGTH)
    offset_D = entry_D / length - mean_D
    explained_F = explaining_FD @ offset_D
    squared = offset_D @ (offset_D * weight_D) - explained_F @ explained_F
    return math.sqrt(max(0.0, float(squared)) / offset_D.size) / spec.limit


@lru_cache(maxsize=2)
def _unpacked(
    spec: OutOfDistribution,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """
    Mean ``[D]``, inverse noise ``[D]``, and what the factors explain of an offset ``[F, D]``.

    The same for every picture, and unpacking it takes longer than using it.
    """
    weight_D = 1.0 / spec.noise_D
    weighted_FD = spec.loadings_FD * weight_D
    gram_FF = np.eye(spec.factors) + weighted_FD @ spec.loadings_FD.T
    return spec.mean_D, weight_D, np.linalg.solve(np.linalg.cholesky(gram_FF), weighted_FD)
