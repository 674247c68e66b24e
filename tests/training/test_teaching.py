"""What a teacher says: live, or once about a number of views; the same either way."""

import numpy as np
import pytest
import torch

from tests.training.small import a_part, a_student, a_teacher_config
from training import teaching
from training.data.views import draw_view
from training.models import build_model
from training.runs import AugmentConfig
from training.teaching import LiveLesson, MeanLesson, cached_lesson, seed_of_view

AUGMENT = AugmentConfig()
INDICES = np.array([3, 0, 5])


@pytest.fixture(scope="module")
def teacher():
    torch.manual_seed(0)
    return build_model(a_teacher_config()).eval()


@pytest.fixture(scope="module")
def part():
    return a_part(7, variants=2)


def lesson(teacher, part, folder, views=2):
    return cached_lesson(teacher, part, AUGMENT, views=views, folder=folder, precision="fp32")


def test_what_was_said_once_is_what_would_be_said_live(teacher, part, tmp_path):
    cached = lesson(teacher, part, tmp_path)
    live = LiveLesson(teacher=teacher, part=part, device=torch.device("cpu"))
    for epoch in (0, 1, 3):
        view = draw_view(7, 2, AUGMENT, seed=cached.view_seed(epoch, 99))
        kept, now = (one.hear(view, epoch, INDICES) for one in (cached, live))
        for name in ("malignancy_logit_B1", "diagnosis_logits_BK"):
            torch.testing.assert_close(getattr(kept, name), getattr(now, name), atol=2e-3, rtol=0)


def test_epochs_go_through_the_views_again_and_again(teacher, part, tmp_path):
    cached = lesson(teacher, part, tmp_path)
    seeds = [cached.view_seed(epoch, 99) for epoch in range(4)]
    assert seeds == [seed_of_view(0), seed_of_view(1), seed_of_view(0), seed_of_view(1)]


def test_averaged_it_says_the_same_of_every_view(teacher, part, tmp_path):
    each = lesson(teacher, part, tmp_path)
    mean = cached_lesson(
        teacher, part, AUGMENT, views=2, folder=tmp_path, precision="fp32", averaged=True
    )
    assert (each.view_seed(1, 99), mean.view_seed(1, 99)) == (seed_of_view(1), 99)
    expected_N = torch.sigmoid(each.malignancy_logit_VN).mean(dim=0)
    expected_NK = torch.softmax(each.diagnosis_logits_VNK, dim=2).mean(dim=0)
    for number in range(2):
        torch.testing.assert_close(torch.sigmoid(mean.malignancy_logit_VN[number]), expected_N)
        torch.testing.assert_close(
            torch.softmax(mean.diagnosis_logits_VNK[number], dim=1), expected_NK
        )


def test_a_live_teacher_sees_a_fresh_view_every_epoch(teacher, part):
    live = LiveLesson(teacher=teacher, part=part, device=torch.device("cpu"))
    assert [live.view_seed(epoch, seed) for epoch, seed in ((0, 7), (1, 8))] == [7, 8]


def test_several_teachers_say_the_mean_of_their_logits_about_one_view(teacher, part, tmp_path):
    student = a_student().eval()
    lessons = [lesson(teacher, part, tmp_path / "one"), lesson(student, part, tmp_path / "other")]
    both = MeanLesson(lessons=lessons)
    view = draw_view(7, 2, AUGMENT, seed=both.view_seed(1, 99))
    assert both.view_seed(1, 99) == seed_of_view(1)
    heard = both.hear(view, 1, INDICES)
    for name in ("malignancy_logit_B1", "diagnosis_logits_BK"):
        said = [getattr(each.hear(view, 1, INDICES), name) for each in lessons]
        torch.testing.assert_close(getattr(heard, name), (said[0] + said[1]) / 2)


def test_a_student_teaches_what_it_would_answer(part, tmp_path):
    student = a_student().eval()
    cached = lesson(student, part, tmp_path)
    view = draw_view(7, 2, AUGMENT, seed=cached.view_seed(0, 99))
    heard = cached.hear(view, 0, INDICES)
    with torch.no_grad():
        answered = student(view.show(part, INDICES, torch.device("cpu")))
    torch.testing.assert_close(
        heard.malignancy_logit_B1, answered.malignancy_logit_B1, atol=2e-3, rtol=0
    )


def test_views_are_looked_at_once_and_more_can_be_asked_for(teacher, part, tmp_path, monkeypatch):
    first = lesson(teacher, part, tmp_path)
    looked = []
    real = teaching.View.show
    monkeypatch.setattr(
        teaching.View, "show", lambda *args: looked.append(args) or real(*args), raising=True
    )
    again = lesson(teacher, part, tmp_path)
    assert looked == []
    assert torch.equal(first.malignancy_logit_VN, again.malignancy_logit_VN)
    more = lesson(teacher, part, tmp_path, views=3)
    assert len(looked) == 1
    assert torch.equal(more.malignancy_logit_VN[:2], first.malignancy_logit_VN)


def test_other_pictures_or_another_augmentation_are_other_views(teacher, part, tmp_path):
    lesson(teacher, part, tmp_path, views=1)
    lesson(teacher, a_part(7, first_seed=9, variants=2), tmp_path, views=1)
    cached_lesson(
        teacher,
        part,
        AugmentConfig(largest_scale=1.1),
        views=1,
        folder=tmp_path,
        precision="fp32",
    )
    assert len(list(tmp_path.rglob("view-000.npy"))) == 3
