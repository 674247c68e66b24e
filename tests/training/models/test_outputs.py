"""How the two heads become one number, and the map that explains it."""

import math

import pytest
import torch

from device.core.manifest import DIAGNOSES
from tests.training.small import a_student, a_student_config
from training.models.outputs import Heads, combine, credit_maximum

POOLINGS = ["average", "max", "both"]


@pytest.mark.parametrize("pooling", POOLINGS)
def test_the_mean_of_the_map_and_the_bias_are_the_malignancy_head(pooling):
    """The map is exact: it spreads the head's own evidence over the picture."""
    student = a_student(config=a_student_config(pooling=pooling))
    with torch.no_grad():
        outputs = student(torch.rand(3, 3, 48, 48))
        head_B = student.heads.malignancy(outputs.embedding_BD)[:, 0]
        from_map_B = outputs.activation_map_BHW.mean(dim=(1, 2)) + student.heads.malignancy.bias
    torch.testing.assert_close(from_map_B, head_B)


def test_two_heads_that_agree_give_what_both_say():
    """Probabilities 0.2, 0.05, 0.05 of malignant diagnoses sum to 0.3; so does the head."""
    share = {
        "MEL": 0.2,
        "NV": 0.5,
        "BCC": 0.05,
        "AKIEC": 0.05,
        "BKL": 0.1,
        "DF": 0.05,
        "VASC": 0.05,
    }
    logits_BK = torch.tensor([[math.log(share[code]) for code in DIAGNOSES]])
    log_odds = math.log(0.3 / 0.7)
    combined_B1 = combine(torch.tensor([[log_odds]]), logits_BK)
    torch.testing.assert_close(combined_B1, torch.tensor([[log_odds]]))


def test_two_heads_that_differ_meet_half_way():
    """All diagnoses alike are odds of 3 to 4; a head that says 2 gives (2 + log 0.75) / 2."""
    combined_B1 = combine(torch.tensor([[2.0]]), torch.zeros(1, 7))
    torch.testing.assert_close(combined_B1, torch.tensor([[(2 + math.log(3 / 4)) / 2]]))


def test_a_constant_on_all_diagnosis_logits_changes_nothing():
    """Logits are known up to a constant only."""
    head_B1, logits_BK = torch.randn(4, 1), torch.randn(4, 7)
    torch.testing.assert_close(combine(head_B1, logits_BK), combine(head_B1, logits_BK + 30))


def test_dropout_spares_the_embedding_and_the_map():
    """Both are read by people and programs; only the heads are made to work with less."""
    torch.manual_seed(0)
    heads = Heads(16, dropout=0.9).train()
    features_BDHW = torch.rand(2, 16, 3, 3)
    outputs = heads(features_BDHW)
    torch.testing.assert_close(outputs.embedding_BD, features_BDHW.mean(dim=(2, 3)))
    torch.testing.assert_close(
        outputs.activation_map_BHW.mean(dim=(1, 2), keepdim=False),
        (outputs.embedding_BD @ heads.malignancy.weight.T)[:, 0],
    )


def test_pooling_takes_the_mean_the_maximum_or_the_mean_of_both():
    """One channel with 0, 1, 2 and 5: 2, 5 and 3.5; the weights of the heads are as many."""
    features_BDHW = torch.tensor([[[[0.0, 1.0], [2.0, 5.0]]]])
    found = {pooling: Heads(1, 0.0, pooling)(features_BDHW).embedding_BD for pooling in POOLINGS}
    assert {name: value.item() for name, value in found.items()} == {
        "average": 2.0,
        "max": 5.0,
        "both": 3.5,
    }


def test_a_maximum_is_credited_to_the_places_near_it():
    """8 and 8 share alike, 7.6 counts half as much, 7 and 0 not at all; the mean is 8."""
    features_BDHW = torch.tensor([[[[8.0, 8.0, 7.6, 7.0, 0.0]]]])
    credited_BDHW = credit_maximum(features_BDHW)
    expected = torch.tensor([[[[16.0, 16.0, 8.0, 0.0, 0.0]]]])
    torch.testing.assert_close(credited_BDHW, expected)


def test_a_channel_that_is_dark_everywhere_is_credited_nothing():
    """A dead channel must not become a number that is none."""
    torch.testing.assert_close(credit_maximum(torch.zeros(2, 3, 4, 4)), torch.zeros(2, 3, 4, 4))


def test_rounding_moves_the_credit_little():
    """Which of two equal places is larger by a rounding is a toss; the map is not."""
    exact_BDHW = torch.tensor([[[[3.0, 3.0, 1.0]]]])
    rounded_BDHW = torch.tensor([[[[3.0 + 3e-6, 3.0, 1.0]]]])
    difference = credit_maximum(exact_BDHW) - credit_maximum(rounded_BDHW)
    assert difference.abs().max() < 1e-4
