"""Every picture is in one group of each trait, and a large group that is judged badly is named."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from device.core.manifest import DIAGNOSES, MALIGNANT_DIAGNOSES
from tests.training.evaluate.answers import POINT, some_answers
from tests.training.sets import a_ham10000, some_cases
from training.data.readers import read_dataset
from training.evaluate.subgroups import NOT_KNOWN, skin_tones, subgroups, weak_subgroups
from training.recipes.preprocessing import six_stages

COUNT = 400


def cases_of(scored, **fields):
    """Cases that fit made-up answers; *fields* give a value for each."""
    cases = []
    for index, diagnosis in enumerate(scored.diagnosis_N):
        code = DIAGNOSES[diagnosis]
        (case,) = some_cases([f"L{scored.group_N[index]}/I{index}"], diagnosis=code)
        given = {name: values[index] for name, values in fields.items()}
        cases.append(replace(case, malignant=code in MALIGNANT_DIAGNOSES, **given))
    return cases


@pytest.fixture(scope="module")
def scored():
    return some_answers(COUNT, groups=COUNT)


def found_by(groups, trait):
    return {group.value: group for group in groups if group.trait == trait}


def test_figures_of_a_group_are_those_of_its_pictures(scored):
    sex = ["female", "male"] * (COUNT // 2)
    groups = found_by(subgroups(cases_of(scored, sex=sex), scored, POINT, draws=50), "sex")
    assert list(groups) == ["female", "male"]
    truth, said = scored.malignant_N[::2], scored.probability_N[::2]
    female = groups["female"]
    assert (female.pictures, female.one_label) == (COUNT // 2, False)
    assert female.lesions == len(set(scored.group_N[::2]))
    assert female.malignant_lesions == len(set(scored.group_N[::2][truth]))
    assert female.metrics["auroc"].value == pytest.approx(roc_auc_score(truth, said))
    above = said >= POINT.benign_below
    assert female.metrics["sensitivity_at_benign_below"].value == pytest.approx(above[truth].mean())
    assert female.metrics["specificity_at_benign_below"].value == pytest.approx(
        (~above)[~truth].mean()
    )


def test_a_group_of_one_label_is_held_against_all_of_the_other(scored):
    melanoma = found_by(subgroups(cases_of(scored), scored, POINT, draws=20), "diagnosis")["MEL"]
    ranked = (scored.diagnosis_N == 0) | ~scored.malignant_N
    expected = roc_auc_score(scored.malignant_N[ranked], scored.probability_N[ranked])
    assert melanoma.one_label
    assert melanoma.metrics["auroc"].value == pytest.approx(expected)
    assert "specificity_at_benign_below" not in melanoma.metrics


def test_ages_fall_into_bands_and_what_is_not_known_comes_last(scored):
    ages = [None, 0.0, 25.0, 30.0, 45.0, 60.0, 75.0, 85.0] * (COUNT // 8)
    groups = found_by(subgroups(cases_of(scored, age_approx=ages), scored, POINT, draws=20), "age")
    assert list(groups) == [
        "under 30",
        "30 to 44",
        "45 to 59",
        "60 to 74",
        "75 and more",
        NOT_KNOWN,
    ]
    assert [group.pictures for group in groups.values()] == [100, 50, 50, 50, 100, 50]


def test_a_trait_that_tells_nobody_apart_is_left_out(scored):
    traits = {group.trait for group in subgroups(cases_of(scored), scored, POINT, draws=20)}
    assert traits == {"diagnosis"}


def test_what_rests_on_few_lesions_is_left_out(scored):
    sites = ["ear"] * 9 + ["back"] * (COUNT - 9)
    groups = found_by(
        subgroups(cases_of(scored, anatom_site=sites), scored, POINT, draws=20), "body site"
    )
    assert groups["ear"].metrics == {}
    assert "auroc" in groups["back"].metrics


def test_a_large_group_that_is_judged_badly_is_named():
    """Half of the pictures get random answers; the same with few lesions is not named."""
    known, unknown = some_answers(COUNT, groups=COUNT, knows=6.0), some_answers(COUNT, knows=0.0)
    mixed_N = np.where(np.arange(COUNT) % 2, unknown.probability_N, known.probability_N)
    sex = ["good", "bad"] * (COUNT // 2)
    for group_N, named in ((known.group_N, ["sex bad"]), (known.group_N % 60, [])):
        scored = replace(known, probability_N=mixed_N, group_N=group_N)
        groups = subgroups(cases_of(scored, sex=sex), scored, POINT, draws=50)
        lines = weak_subgroups([group for group in groups if group.trait == "sex"])
        assert [line.partition(" (")[0] for line in lines] == named
        documents = [group.document() for group in groups if group.trait == "sex"]
        assert [each["value"] for each in documents if each["weak"]] == ["bad"][: len(named)]


def test_skin_tones_are_measured_on_files(tmp_path):
    root = a_ham10000(tmp_path / "set", [("L1", "I1", "nv"), ("L2", "I2", "mel")])
    tones = skin_tones(read_dataset(root), six_stages(48))
    assert len(tones) == 2
    assert set(tones) <= {"very light", "light", "intermediate", "tan", "brown", "dark"}
