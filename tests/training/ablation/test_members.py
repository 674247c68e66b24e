"""A member has seen what the fused teacher saw through its eyes."""

import numpy as np
import pytest

from tests.training.ablation.runs import a_fused_teacher
from tests.training.small import a_part, a_teacher_run_config
from training.ablation.members import inherit_views, member_runs
from training.errors import RunError
from training.models import load_best
from training.runs import MEMBERS_NAME, VIEWS_NAME
from training.teaching import view_features

NAMES = ("test_efficientnet", "test_resnet")


@pytest.fixture(scope="module")
def part():
    return a_part(7, variants=2)


@pytest.fixture
def fused(tmp_path):
    return a_fused_teacher(tmp_path)


def look(run, part, folder):
    augment = a_teacher_run_config().augment
    return view_features(load_best(run), part, augment, views=2, folder=folder, precision="fp32")


def test_the_members_are_found(fused):
    assert member_runs([fused]) == tuple(fused / MEMBERS_NAME / name for name in NAMES)
    assert member_runs([fused / MEMBERS_NAME / NAMES[0]]) == ()
    assert member_runs([]) == ()
    assert member_runs([fused, fused.parent]) == (fused, fused.parent)


@pytest.mark.parametrize("name", NAMES)
def test_inherited_views_are_what_the_member_would_have_seen(fused, part, name, monkeypatch):
    """Both members, the first and the last columns; nobody looks at anything again."""
    member = fused / MEMBERS_NAME / name
    expected_VND = look(member, part, folder=None)
    look(fused, part, folder=fused)
    inherit_views(member)
    monkeypatch.setattr("training.teaching.plain_batches", None)
    found_VND = look(member, part, folder=member)
    assert found_VND.dtype == np.float16
    np.testing.assert_allclose(
        found_VND.astype(np.float32), expected_VND.astype(np.float32), atol=2e-3
    )


def test_views_that_the_member_has_stay(fused, part):
    look(fused, part, folder=fused)
    member = fused / MEMBERS_NAME / NAMES[1]
    inherit_views(member)
    files = sorted((member / VIEWS_NAME).rglob("*.npy"))
    assert len(files) == 2
    np.save(files[0], np.zeros((7, 1), dtype=np.float16))
    inherit_views(member)
    assert np.load(files[0]).shape == (7, 1)


def test_a_teacher_of_its_own_inherits_nothing(fused, part):
    look(fused, part, folder=fused)
    before = sorted(fused.rglob("*"))
    inherit_views(fused)
    assert sorted(fused.rglob("*")) == before


def test_features_of_another_teacher_are_refused(fused, part):
    look(fused, part, folder=fused)
    view = next((fused / VIEWS_NAME).rglob("view-001.npy"))
    np.save(view, np.zeros((7, 3), dtype=np.float16))
    with pytest.raises(RunError, match=r"view-001\.npy: expected \d+ features, .* found 3"):
        inherit_views(fused / MEMBERS_NAME / NAMES[0])
