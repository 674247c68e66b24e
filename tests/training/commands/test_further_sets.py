"""Further sets beside the one of record: named in the run if they are trained on, else not."""

import pytest

from tests.training.sets import SOME_LESIONS, a_ham10000
from tests.training.small import a_data_set, a_run_config
from training.audit import audit_datasets, write_audit
from training.commands.train import train_run
from training.data.splits import SPLIT_NAME
from training.recipes.preprocessing import six_stages
from training.runs import load_config
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
