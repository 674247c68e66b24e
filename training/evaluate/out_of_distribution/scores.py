"""
Ways to tell that a picture is none of those that a network was trained on, side by side.

All of them read the outputs of the shipped graph; what they need is fitted on the training
pictures, each picture counting once.  Higher is stranger.

Sources: Hendrycks & Gimpel (ICLR 2017) for the largest softmax, Hendrycks et al. (ICML 2022) for
the largest logit, Liu et al. (NeurIPS 2020) for energy, Lee et al. (NeurIPS 2018) for
Mahalanobis, Mueller & Hein (ICML 2025) for unit length, Wang et al. (CVPR 2022) for ViM, Sun et
al. (ICML 2022) for nearest neighbours.

Legend: ``N`` pictures, ``D`` embedding, ``K`` diagnoses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist  # type: ignore[import-untyped] # scipy brings no types
from scipy.special import logsumexp  # type: ignore[import-untyped] # scipy brings no types
from sklearn.cluster import KMeans

from device.core.values import Prediction
from training.evaluate.out_of_distribution.fit import fit_out_of_distribution, novelties

_FACTORS = 32
_PROTOTYPES = 32
_SEED = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What a network said about some pictures."""

    embedding_ND: NDArray[np.float64]
    logits_NK: NDArray[np.float64]

    @classmethod
    def of(cls, predictions: Sequence[Prediction]) -> Outputs:
        """Gather from the device's answers."""
        return cls(
            embedding_ND=np.array([p.embedding_D for p in predictions], dtype=np.float64),
            logits_NK=np.array([p.diagnosis_logits_K for p in predictions], dtype=np.float64),
        )

    @property
    def unit(self) -> NDArray[np.float64]:
        """Embeddings of length one, ``[N, D]``."""
        lengths_N1 = np.linalg.norm(self.embedding_ND, axis=1, keepdims=True)
        return self.embedding_ND / np.maximum(lengths_N1, np.finfo(np.float64).tiny)


Score = Callable[[Outputs], NDArray[np.float64]]
"""From outputs to a score for each picture, ``[N]``."""


def fitted_scores(training: Outputs, diagnosis_N: NDArray[np.int64]) -> Mapping[str, Score]:
    """Fit every score on the training pictures; return them by name."""
    raw_ND, unit_ND = training.embedding_ND, training.unit
    inside_DF = _directions(unit_ND)[:, :_FACTORS]
    center_D = unit_ND.mean(axis=0)
    shipped = fit_out_of_distribution(raw_ND, diagnosis_N, raw_ND)
    alike = fit_out_of_distribution(raw_ND, np.zeros_like(diagnosis_N), raw_ND)
    prototypes_PD = KMeans(_PROTOTYPES, n_init=1, random_state=_SEED).fit(unit_ND).cluster_centers_

    def residual(outputs: Outputs) -> NDArray[np.float64]:
        offset_ND = outputs.unit - center_D
        length_N: NDArray[np.float64] = np.linalg.norm(
            offset_ND - offset_ND @ inside_DF @ inside_DF.T, axis=1
        )
        return length_N

    # ViM's factor brings the residual to the size of the logits.
    alpha = training.logits_NK.max(axis=1).mean() / residual(training).mean()
    return {
        "largest softmax": lambda o: (
            -np.exp(o.logits_NK.max(axis=1) - logsumexp(o.logits_NK, axis=1))
        ),
        "largest logit": lambda o: -o.logits_NK.max(axis=1),
        "energy": lambda o: -logsumexp(o.logits_NK, axis=1),
        "Mahalanobis, one mean for each diagnosis": _mahalanobis(raw_ND, diagnosis_N, _raw),
        "Mahalanobis, one mean": _mahalanobis(raw_ND, np.zeros_like(diagnosis_N), _raw),
        "the same, variances alone": _diagonal(raw_ND),
        "Mahalanobis of unit length, one mean for each diagnosis": _mahalanobis(
            unit_ND, diagnosis_N, _unit
        ),
        "Mahalanobis of unit length, one mean": _mahalanobis(
            unit_ND, np.zeros_like(diagnosis_N), _unit
        ),
        f"residual beyond {_FACTORS} principal directions, unit length": residual,
        f"ViM with {_FACTORS} principal directions": lambda o: (
            alpha * residual(o) - logsumexp(o.logits_NK, axis=1)
        ),
        f"nearest of {_PROTOTYPES} prototypes, unit length": lambda o: cdist(
            o.unit, prototypes_PD
        ).min(axis=1),
        f"factor analysis, {_FACTORS} factors in bytes, unit length": lambda o: novelties(
            o.embedding_ND, alike
        ),
        "the same, each diagnosis counting alike (shipped)": lambda o: novelties(
            o.embedding_ND, shipped
        ),
    }


def _raw(outputs: Outputs) -> NDArray[np.float64]:
    return outputs.embedding_ND


def _unit(outputs: Outputs) -> NDArray[np.float64]:
    return outputs.unit


def _directions(value_ND: NDArray[np.float64]) -> NDArray[np.float64]:
    """Principal directions as columns, the widest first."""
    return np.linalg.eigh(np.cov(value_ND.T))[1][:, ::-1]


def _mahalanobis(
    value_ND: NDArray[np.float64],
    kind_N: NDArray[np.int64],
    read: Callable[[Outputs], NDArray[np.float64]],
) -> Score:
    """Squared distance from the nearest mean, one covariance for all kinds."""
    kinds, place_N = np.unique(kind_N, return_inverse=True)
    mean_KD = np.stack([value_ND[kind_N == kind].mean(axis=0) for kind in kinds])
    inverse_DD = np.linalg.pinv(np.cov((value_ND - mean_KD[place_N]).T), hermitian=True)
    return lambda outputs: (
        cdist(read(outputs), mean_KD, "mahalanobis", VI=inverse_DD).min(axis=1) ** 2
    )


def _diagonal(value_ND: NDArray[np.float64]) -> Score:
    mean_D, variance_D = value_ND.mean(axis=0), value_ND.var(axis=0)
    return lambda outputs: (
        (outputs.embedding_ND - mean_D) ** 2 / np.maximum(variance_D, 1e-12)
    ).sum(axis=1)
