"""Further sets beside the one of record: named in the run if they are trained on, else not."""

import numpy as np
import pytest

from tests.training.sets import SOME_LESIONS, a_ham10000
from tests.training.small import a_data_set, a_run_config
from training.audit import audit_datasets, write_audit
from training.commands.train import lesson_part, train_run
from training.data.splits import SPLIT_NAME, TRAIN
from training.errors import RunError
from training.recipes.preprocessing import six_stages
from training.runs import CURVES_NAME, VIEWS_NAME, DistillationConfig, load_config
from training.source import Source

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    root = tmp_path_factory.mktemp("further")
    a_ham10000(root / "set", SOME_LESIONS)
    a_data_set(root / "further", count=8)
    found = audit_datasets(root / "set", [root / "further"], draws=1, threshold=1.1)
    write_audit(found, root)
    return Source(
        data=root / "set",
        also=(root / "further",),
        split=root / SPLIT_NAME,
        cache=root / "cache",
        workers=1,
    )


@pytest.mark.parametrize(("share", "is_named"), [(0.0, False), (0.5, True)])
def test_only_what_is_trained_on_is_in_the_record(source, tmp_path, monkeypatch, share, is_named):
    """The card of the model tells it on."""
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    config = a_run_config(spec=six_stages(32), epochs=1)
    train_run(config.model_copy(update={"extra_share": share}), source, tmp_path)
    data = load_config(tmp_path).data
    assert (data.extra_fingerprint is not None) is is_named


def taught_by(teacher, *, share, variants):
    lesson = DistillationConfig(teacher_runs=(teacher,), views=1, kd_temperature=1.0, kd_share=0.5)
    config = a_run_config(spec=six_stages(32), epochs=1, distillation=lesson)
    return config.model_copy(update={"extra_share": share, "variants": variants})


def test_who_saw_the_set_of_record_alone_may_teach_about_further_pictures(
    source, tmp_path, monkeypatch
):
    """And of as many variants as its student has; but who saw more than its student may not."""
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    config = a_run_config(spec=six_stages(32), epochs=1)
    for name, share in (("record", 0.0), ("further", 0.5)):
        train_run(config.model_copy(update={"extra_share": share}), source, tmp_path / name)
    taught = taught_by(tmp_path / "record", share=0.5, variants=3)
    train_run(taught, source, tmp_path / "taught")
    (view,) = (tmp_path / "record" / VIEWS_NAME).rglob("*.npy")
    assert len(np.load(view)) == len(source.read().split.cases(source.read().record, TRAIN)) + 8
    assert "loss_kd" not in (tmp_path / "record" / CURVES_NAME).read_text()
    assert "loss_kd_malignancy" in (tmp_path / "taught" / CURVES_NAME).read_text()
    for variants, expected in ((3, 3), (1, 1)):
        shown = lesson_part(
            config.model_copy(update={"variants": min(2, variants)}), taught, source.read()
        )
        assert len(shown.pixels_VNSSC) == expected
    with pytest.raises(RunError, match="those without the further sets, found others"):
        train_run(taught_by(tmp_path / "further", share=0.0, variants=2), source, tmp_path / "not")
