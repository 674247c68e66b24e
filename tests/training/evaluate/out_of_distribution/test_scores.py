"""Every score that is compared ranks what is plainly strange above what is known."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tests.builders import a_prediction
from training.evaluate.out_of_distribution.fit import fit_out_of_distribution, novelties
from training.evaluate.out_of_distribution.scores import Outputs, fitted_scores

_SIZE, _KINDS = 48, 7
_MEAN_KD = np.random.default_rng(0).normal(size=(_KINDS, _SIZE)) + 3.0


def known(count, seed):
    """Each picture lies near the mean of its diagnosis, and its logits are sure of it."""
    rng = np.random.default_rng(seed)
    kind_N = rng.integers(0, _KINDS, count)
    return kind_N, Outputs(
        embedding_ND=_MEAN_KD[kind_N] + 0.2 * rng.normal(size=(count, _SIZE)),
        logits_NK=6.0 * np.eye(_KINDS)[kind_N] + 0.5 * rng.normal(size=(count, _KINDS)),
    )


def strange(count, seed):
    """Short embeddings in any direction, and logits that are sure of nothing."""
    rng = np.random.default_rng(seed)
    return Outputs(
        embedding_ND=rng.normal(size=(count, _SIZE)),
        logits_NK=0.3 * rng.normal(size=(count, _KINDS)),
    )


@pytest.fixture(scope="module")
def training():
    return known(400, 1)


@pytest.fixture(scope="module")
def scores(training):
    kind_N, outputs = training
    return fitted_scores(outputs, kind_N)


def test_strangers_are_stranger(scores):
    assert len(scores) == 13
    _, others = known(100, 2)
    strangers = strange(100, 3)
    truth_N = np.repeat([False, True], 100)
    auroc = {
        name: roc_auc_score(truth_N, np.concatenate([score(others), score(strangers)]))
        for name, score in scores.items()
    }
    assert min(auroc.values()) > 0.95, auroc


def test_the_shipped_score_is_that_of_the_contract(scores, training):
    kind_N, outputs = training
    spec = fit_out_of_distribution(outputs.embedding_ND, kind_N, outputs.embedding_ND)
    (shipped,) = [score for name, score in scores.items() if "(shipped)" in name]
    strangers = strange(5, 4)
    np.testing.assert_allclose(shipped(strangers), novelties(strangers.embedding_ND, spec))


def test_outputs_are_gathered_from_answers():
    outputs = Outputs.of([a_prediction(embedding_D=np.array([3.0, 4.0, 0, 0], np.float32))] * 2)
    assert outputs.embedding_ND.shape == (2, 4)
    assert outputs.logits_NK.shape == (2, 7)
    np.testing.assert_allclose(outputs.unit, [[0.6, 0.8, 0, 0]] * 2)
