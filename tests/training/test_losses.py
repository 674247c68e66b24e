"""Losses against cases worked out by hand; every loss is a mean over the batch."""

import math

import pytest
import torch

from training.data.case import UNKNOWN
from training.losses import distillation_loss, label_loss
from training.models import Outputs


def outputs(malignancy: list[float], diagnosis: list[list[float]]) -> Outputs:
    logits_B1 = torch.tensor(malignancy, requires_grad=True)[:, None]
    logits_BK = torch.tensor(diagnosis, requires_grad=True)
    return Outputs(logits_B1, logits_BK, torch.zeros(len(malignancy), 0, 0), torch.zeros(0))


def test_label_losses_are_means_of_cross_entropies():
    """Logits log 3 and 0 mean 0.75 and 0.5; four alike diagnoses of seven carry weight 3 : 1."""
    said = outputs([math.log(3), 0.0], [[math.log(3), 0, 0, 0, 0, 0, 0], [0.0] * 7])
    terms = label_loss(said, torch.tensor([1.0, 0.0]), torch.tensor([0, 6]), label_smoothing=0.0)
    assert terms.keys() == {"malignancy", "diagnosis"}
    expected = (-math.log(0.75) - math.log(0.5)) / 2
    assert terms["malignancy"].item() == pytest.approx(expected)
    expected = (-math.log(3 / 9) - math.log(1 / 7)) / 2
    assert terms["diagnosis"].item() == pytest.approx(expected)


def test_smoothing_spreads_its_share_over_all_classes():
    """0.1 of the truth goes half to each label, and a seventh to each diagnosis."""
    said = outputs([math.log(3)], [[math.log(3), 0, 0, 0, 0, 0, 0]])
    terms = label_loss(said, torch.tensor([1.0]), torch.tensor([0]), label_smoothing=0.1)
    assert terms["malignancy"].item() == pytest.approx(
        -0.95 * math.log(0.75) - 0.05 * math.log(0.25)
    )
    assert terms["diagnosis"].item() == pytest.approx(
        -(0.9 + 0.1 / 7) * math.log(3 / 9) - 6 * (0.1 / 7) * math.log(1 / 9)
    )


def test_a_picture_without_a_diagnosis_is_skipped():
    """It counts for malignancy, and the other pictures' diagnoses are averaged without it."""
    said = outputs([0.0, 0.0], [[5.0, 0, 0, 0, 0, 0, 0], [0.0] * 7])
    terms = label_loss(
        said, torch.tensor([1.0, 0.0]), torch.tensor([UNKNOWN, 3]), label_smoothing=0.0
    )
    assert terms["diagnosis"].item() == pytest.approx(math.log(7))
    assert terms["malignancy"].item() == pytest.approx(math.log(2))


def test_a_batch_without_any_diagnosis_has_no_such_term():
    """The mean of nothing would be a NaN that spreads into every weight."""
    said = outputs([0.0], [[0.0] * 7])
    terms = label_loss(said, torch.tensor([1.0]), torch.tensor([UNKNOWN]), label_smoothing=0.1)
    assert terms.keys() == {"malignancy"}


@pytest.mark.parametrize("kd_loss", ["kl", "dist"])
@pytest.mark.parametrize("kd_temperature", [1.0, 4.0])
def test_a_perfect_copy_of_the_teacher_costs_nothing(kd_temperature, kd_loss):
    """Both terms are distances: zero for equal answers, and no pull in any direction."""
    torch.manual_seed(0)
    said = outputs([1.5, -40.0], torch.randn(2, 7).tolist())
    taught = Outputs(*(value.detach().clone() for value in said))
    terms = distillation_loss(said, taught, kd_loss=kd_loss, kd_temperature=kd_temperature)
    assert terms.keys() == {"kd_diagnosis", "kd_malignancy"}
    for term in terms.values():
        assert term.item() == pytest.approx(0.0, abs=1e-5)
    pulls = torch.autograd.grad(
        sum(terms.values()), (said.malignancy_logit_B1, said.diagnosis_logits_BK)
    )
    for pull in pulls:
        torch.testing.assert_close(pull, torch.zeros_like(pull), atol=1e-5, rtol=0.0)


def test_distillation_is_summed_over_diagnoses_and_averaged_over_the_batch():
    """
    Teacher 1/2 and six times 1/12 against alike sevenths, once, and once a perfect copy.

    The divergence of the first is 1/2 log(7/2) + 1/2 log(7/12); the batch halves it.
    """
    teacher = outputs([0.0, 0.0], [[math.log(6), 0, 0, 0, 0, 0, 0], [0.0] * 7])
    student = outputs([0.0, 0.0], [[0.0] * 7, [0.0] * 7])
    terms = distillation_loss(student, teacher, kd_loss="kl", kd_temperature=1.0)
    expected = (0.5 * math.log(7 / 2) + 0.5 * math.log(7 / 12)) / 2
    assert terms["kd_diagnosis"].item() == pytest.approx(expected, rel=1e-5)
    assert terms["kd_malignancy"].item() == pytest.approx(0.0, abs=1e-7)


def test_the_malignancy_term_is_a_divergence_times_the_temperature_squared():
    """At temperature 2 the teacher's 2 log 3 is softened to 3/4, the student's 0 to 1/2."""
    teacher = outputs([2 * math.log(3)], [[0.0] * 7])
    student = outputs([0.0], [[0.0] * 7])
    terms = distillation_loss(student, teacher, kd_loss="kl", kd_temperature=2.0)
    divergence = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    assert terms["kd_malignancy"].item() == pytest.approx(4 * divergence, rel=1e-5)


def test_a_certain_teacher_gives_a_finite_loss():
    """Its probability is 0 or 1 to the last digit; a logarithm of zero must not come out."""
    teacher = outputs([200.0, -200.0], [[200.0, 0, 0, 0, 0, 0, 0]] * 2)
    student = outputs([-3.0, 3.0], [[0.0] * 7] * 2)
    terms = distillation_loss(student, teacher, kd_loss="kl", kd_temperature=1.0)
    assert all(torch.isfinite(term) for term in terms.values())


def test_the_ranking_alone_counts_for_dist():
    """
    A student that is half as sure as its teacher, but ranks alike, costs nothing.

    Probabilities of the teacher are an affine function of the student's: correlation one in
    every row and every column.
    """
    teacher_BK = torch.tensor(
        [[0.4, 0.05, 0.1, 0.15, 0.1, 0.12, 0.08], [0.1, 0.2, 0.2, 0.05, 0.2, 0.05, 0.2]]
    )
    student_BK = 1 / 7 + 0.5 * (teacher_BK - 1 / 7)
    teacher, student = (
        outputs([0.0, 0.0], values.log().tolist()) for values in (teacher_BK, student_BK)
    )
    terms = distillation_loss(student, teacher, kd_loss="dist", kd_temperature=1.0)
    assert terms["kd_diagnosis"].item() == pytest.approx(0.0, abs=1e-5)
    turned = outputs([0.0, 0.0], student_BK.flip(1).log().tolist())
    terms = distillation_loss(turned, teacher, kd_loss="dist", kd_temperature=1.0)
    assert terms["kd_diagnosis"].item() > 1.0
