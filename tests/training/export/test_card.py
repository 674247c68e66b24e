"""The card says what the contract says, and names whom the model serves badly."""

from pathlib import Path

from device.core.manifest import Guarantee, Metric
from tests.builders import a_manifest
from training.export.card import card

ROOT = Path(__file__).resolve().parents[3]
FIGURE = Metric(value=0.801, low=0.752, high=0.853)


def written(**changes):
    training = a_manifest().training.model_copy(update={"images": {"train": 3, "test": 4}})
    manifest = a_manifest(training=training, **changes)
    return card(manifest, file_name="m.onnx", sha256="0" * 64, size_bytes=1)


def test_weak_groups_are_named_with_their_figures():
    name = "diagnosis MEL (132 lesions, against all benign pictures)"
    text = written(metrics={"auroc": FIGURE, f"subgroup_{name}": FIGURE})
    assert f"with a low AUROC: {name}, 0.801 (0.752 to 0.853).\n" in text
    assert "low AUROC" not in written(metrics={"auroc": FIGURE})


def test_the_promise_stands_in_words():
    promise = Guarantee(
        method="order_statistic", miss_rate=0.075, confidence=0.951, lesions=138, missed=5
    )
    text = written(guarantee=promise, uncertain_share=0.296)
    assert promise.in_words in text
    assert "29.6% of the calibration pictures" in text


def test_strangers_are_spoken_of_only_where_they_were_shown():
    assert "pictures without a lesion were not shown to it." in written()
    text = written(metrics={"novelty_auroc_photographs": FIGURE})
    assert "were not shown" not in text
    assert "| novelty_auroc_photographs | 0.8010 |" in text


def test_every_item_of_the_checklists_leads_to_a_file():
    rows = [line for line in written().splitlines() if "](../../" in line and line.startswith("|")]
    assert len(rows) > 15
    for row in rows:
        for link in row.split("](../../")[1:]:
            assert (ROOT / link.partition(")")[0]).exists(), row
