"""Novelty is Mahalanobis' distance of the direction, 1 at the limit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.decision import novelty
from tests.builders import an_out_of_distribution, in_base64

pytestmark = pytest.mark.portable


def test_it_is_mahalanobis_distance_under_factors_and_noise():
    """Worked out with the whole covariance, which the device never builds."""
    rng = np.random.default_rng(1)
    loadings = rng.integers(-127, 128, (3, 8)).astype("<i1")
    noise_D = rng.uniform(0.5, 2.0, 8).astype("<f4")
    spec = an_out_of_distribution(
        rng.normal(0, 0.1, 8),
        factors=3,
        limit=1.7,
        loadings=in_base64(loadings),
        scales=in_base64(np.full(3, 0.01, dtype="<f4")),
        noise=in_base64(noise_D),
    )
    embedding_D = rng.normal(0, 5, 8).astype(np.float32)
    covariance_DD = spec.loadings_FD.T @ spec.loadings_FD + np.diag(noise_D.astype(float))
    offset_D = embedding_D / np.linalg.norm(embedding_D) - spec.mean_D
    squared = offset_D @ np.linalg.inv(covariance_DD) @ offset_D
    assert novelty(embedding_D, spec) == pytest.approx(np.sqrt(squared / 8) / 1.7)


@given(st.floats(2**-10, 2**10), st.integers(0, 100))
def test_only_the_direction_counts(factor, seed):
    embedding_D = np.random.default_rng(seed).normal(0, 1, 4).astype(np.float32)
    spec = an_out_of_distribution((0.3, 0.2, 0.1, 0.0))
    scaled = novelty((embedding_D * np.float32(factor)).astype(np.float32), spec)
    assert scaled == pytest.approx(novelty(embedding_D, spec), rel=1e-4)


def test_an_embedding_of_nothing_is_a_number_too():
    """As a network gives that sees black."""
    spec = an_out_of_distribution((1.0, 0.0, 0.0, 0.0), limit=0.25)
    assert novelty(np.zeros(4, dtype=np.float32), spec) == pytest.approx(2.0)
