"""The statistics tell strangers from pictures alike, and the limit lets 99 in 100 pass."""

import numpy as np
import pytest

from device.decision import novelty
from training.errors import DataError
from training.evaluate.out_of_distribution.fit import fit_out_of_distribution, novelties

SIZE = 24
_MIX = np.random.default_rng(9).normal(size=(4, SIZE))


def lesions(count, seed, *, away=0.0):
    """Embeddings around one direction that move together in four ways."""
    rng = np.random.default_rng(seed)
    entry_ND = 5.0 + rng.normal(size=(count, 4)) @ _MIX + 0.3 * rng.normal(size=(count, SIZE))
    entry_ND[:, ::2] += away
    # Contrast varies, and must not count.
    return (entry_ND * rng.uniform(0.5, 2.0, (count, 1))).astype(np.float32)


@pytest.fixture(scope="module")
def fitted():
    return fit_out_of_distribution(lesions(2000, 1), np.zeros(2000, dtype=int), lesions(999, 2))


def test_one_in_a_hundred_calibration_pictures_lies_beyond_the_limit(fitted):
    """The rank is 0.99 of one more than there are: the 990th of 999 stands at the limit."""
    distance_N = np.sort(novelties(lesions(999, 2), fitted))
    assert distance_N[989] == pytest.approx(1.0)
    assert (distance_N > 1.0 + 1e-9).sum() == 9


def test_pictures_never_seen_pass_about_as_often(fitted):
    assert np.mean(novelties(lesions(5000, 3), fitted) > 1) == pytest.approx(0.01, abs=0.006)


def test_strangers_lie_beyond(fitted):
    assert (novelties(lesions(200, 4, away=6.0), fitted) > 1).mean() > 0.95
    assert (novelties(-lesions(200, 5), fitted) > 1).all()


def test_novelties_are_those_of_the_device(fitted):
    embedding_ND = lesions(3, 6)
    assert novelties(embedding_ND, fitted).tolist() == [
        novelty(embedding_D, fitted) for embedding_D in embedding_ND
    ]


def test_a_rare_kind_counts_as_much_as_a_frequent_one():
    """Twenty of another kind among two thousand: with kinds they are less of a stranger."""
    training_ND = np.concatenate([lesions(2000, 1), lesions(20, 7, away=3.0)])
    kind_N = np.repeat([0, 1], [2000, 20])
    rare_ND = lesions(200, 8, away=3.0)
    alike, blind = (
        fit_out_of_distribution(training_ND, kinds, lesions(999, 2)).model_copy(
            update={"limit": 1.0}
        )
        for kinds in (kind_N, np.zeros_like(kind_N))
    )
    assert np.median(novelties(rare_ND, alike)) < 0.8 * np.median(novelties(rare_ND, blind))


def test_the_bytes_of_the_factors_cost_little_precision(fitted):
    """The covariance that the contract describes is that of the unit embeddings."""
    training_ND = lesions(2000, 1).astype(float)
    unit_ND = training_ND / np.linalg.norm(training_ND, axis=1, keepdims=True)
    described_DD = fitted.loadings_FD.T @ fitted.loadings_FD + np.diag(fitted.noise_D)
    expected_DD = np.cov(unit_ND.T, bias=True)
    assert np.abs(described_DD - expected_DD).max() < 0.03 * expected_DD.max()
    np.testing.assert_allclose(fitted.mean_D, unit_ND.mean(axis=0), atol=1e-6)


def test_entries_that_are_always_zero_are_no_fault():
    training_ND, calibration_ND = lesions(300, 1), lesions(300, 2)
    training_ND[:, 3] = calibration_ND[:, 3] = 0.0
    spec = fit_out_of_distribution(training_ND, np.zeros(300, dtype=int), calibration_ND)
    assert np.isfinite(novelties(calibration_ND, spec)).all()
    strange_ND = lesions(300, 3)
    assert (novelties(strange_ND, spec) > 1).all()


@pytest.mark.parametrize("size", [1, 3, 4, 40])
def test_any_size_of_embedding_has_its_factors(size):
    rng = np.random.default_rng(size)
    spec = fit_out_of_distribution(
        rng.normal(size=(60, size)), rng.integers(0, 3, 60), rng.normal(size=(30, size))
    )
    assert spec.mean_D.shape == (size,)
    assert spec.loadings_FD.shape == (spec.factors, size)
    assert spec.factors <= max(1, size // 4)


@pytest.mark.parametrize(("training", "calibration"), [(1, 5), (5, 0)])
def test_too_few_pictures_are_refused(training, calibration):
    with pytest.raises(DataError, match="out of distribution"):
        fit_out_of_distribution(
            lesions(training, 1), np.zeros(training, dtype=int), lesions(calibration, 2)
        )
