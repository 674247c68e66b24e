"""
What training pictures look like to the network, and from where on a picture is none of them.

Of the scores that were compared (docs/out-of-distribution.md) this one lets a file of half a
megabyte tell most: Mahalanobis distance of the unit embedding, its covariance written as a few
factors and the noise of each entry, so that it costs 9 kB.  Each diagnosis counts as much as any
other, else the rare ones would be the strangest.

Legend: ``N`` pictures, ``D`` embedding, ``F`` factors.
"""

from __future__ import annotations

import base64
import math

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import FactorAnalysis

from device.core.manifest import OutOfDistribution
from device.decision import novelty
from training.errors import DataError

ACCEPTED_SHARE = 0.99
"""Of the calibration pictures.  At most 3 in 100 real pictures and 5 in 100 of any diagnosis may
be refused, by the quality gate too: a margin of three for what the calibration part does not
know."""
_MOST_FACTORS = 32
_ENTRIES_PER_FACTOR = 4
_RIDGE = 1e-6
"""Of the mean variance, added to each: entries that are always zero have none."""
_LARGEST_BYTE = 127


def fit_out_of_distribution(
    training_ND: NDArray[np.floating],
    kind_N: NDArray[np.int64],
    calibration_ND: NDArray[np.floating],
) -> OutOfDistribution:
    """
    Describe the training pictures, and set the limit on the calibration pictures.

    Args:
        training_ND: Embeddings that the network's file gives to its training pictures.
        kind_N: Diagnosis of each, any integers; all kinds count alike.
        calibration_ND: Embeddings of pictures that no part of the training has seen.

    Raises:
        DataError: There are fewer than two training pictures or no calibration picture.
    """
    if len(training_ND) < 2 or not len(calibration_ND):  # noqa: PLR2004 - a spread takes two
        raise DataError(
            "out of distribution",
            [f"{len(training_ND)} training and {len(calibration_ND)} calibration picture(s)"],
            "use a data set whose split has both parts",
        )
    described = _describe(training_ND.astype(np.float64), kind_N)
    distance_N = np.sort(novelties(calibration_ND, described))
    # The rank makes the promise hold for one more picture, as in split conformal prediction.
    rank = min(len(distance_N), math.ceil(ACCEPTED_SHARE * (len(distance_N) + 1)))
    return described.model_copy(update={"limit": float(distance_N[rank - 1])})


def novelties(embedding_ND: NDArray[np.floating], spec: OutOfDistribution) -> NDArray[np.float64]:
    """Return the device's novelty of each picture, float64 ``[N]``."""
    return np.array([novelty(embedding_D, spec) for embedding_D in embedding_ND])


def _describe(embedding_ND: NDArray[np.float64], kind_N: NDArray[np.int64]) -> OutOfDistribution:
    """Fit mean, factors and noise; the limit is 1."""
    lengths_N1 = np.linalg.norm(embedding_ND, axis=1, keepdims=True)
    unit_ND = embedding_ND / np.maximum(lengths_N1, np.finfo(np.float64).tiny)
    _, kind_N, count_K = np.unique(kind_N, return_inverse=True, return_counts=True)
    weight_N = 1.0 / (len(count_K) * count_K[kind_N])
    mean_D = weight_N @ unit_ND
    weighted_ND = (unit_ND - mean_D) * np.sqrt(weight_N)[:, None]
    covariance_DD = weighted_ND.T @ weighted_ND
    size = len(mean_D)
    ridge = _RIDGE * max(np.trace(covariance_DD) / size, np.finfo(np.float32).tiny)
    covariance_DD += ridge * np.eye(size)
    # The library takes pictures, not a covariance: 2 D of them that have exactly this one.
    root_DD = math.sqrt(size) * np.linalg.cholesky(covariance_DD).T
    factors = max(1, min(_MOST_FACTORS, size // _ENTRIES_PER_FACTOR))
    found = FactorAnalysis(factors, tol=1e-2, max_iter=2000, svd_method="lapack").fit(
        np.concatenate([root_DD, -root_DD])
    )
    scale_F = np.abs(found.components_).max(axis=1) / _LARGEST_BYTE
    scale_F = np.maximum(scale_F, np.finfo(np.float32).tiny).astype(np.float32)
    loadings_FD = np.rint(found.components_ / scale_F[:, None]).astype(np.int8)
    return OutOfDistribution(
        method="factor_analysis",
        limit=1.0,
        factors=factors,
        mean=_text(mean_D.astype("<f4")),
        noise=_text(np.maximum(found.noise_variance_, ridge).astype("<f4")),
        loadings=_text(loadings_FD),
        scales=_text(scale_F.astype("<f4")),
    )


def _text(array: NDArray[np.generic]) -> str:
    return base64.b64encode(array.tobytes()).decode()
