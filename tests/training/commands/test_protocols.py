"""From training under a protocol to the page that says what it was worth, on drawn pictures."""

import json
import shutil
from collections import Counter

import pytest

from tests.training.sets import SOME_LESIONS, a_ham10000
from tests.training.small import a_run_config
from training.audit import audit_datasets, write_audit
from training.cli import main
from training.commands.compare import compare_reports, read_report
from training.commands.evaluate import evaluate_model
from training.commands.protocols import tabulate
from training.commands.train import train_run
from training.data.protocols import PAPER, SIBLINGS_IN, SIBLINGS_OUT, WARNINGS
from training.data.splits import SPLIT_NAME
from training.errors import DataError, RunError
from training.export.errors import ExportError
from training.export.export import export_run
from training.recipes.preprocessing import six_stages
from training.runs import load_config
from training.source import Source

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _on_the_cpu(monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """96 drawn pictures of 64 lesions, half of them malignant, and their grouped split."""
    root = tmp_path_factory.mktemp("protocols")
    a_ham10000(root / "set", SOME_LESIONS)
    write_audit(audit_datasets(root / "set", draws=1, threshold=1.1), root)
    return {"data": root / "set", "split": root / SPLIT_NAME, "cache": root / "cache"}


@pytest.fixture(scope="module")
def arms(material, tmp_path_factory):
    """A run of one epoch under each protocol of the leak measurement, and one of the paper's."""
    root = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ACCELERATE_USE_CPU", "true")
        for protocol in (SIBLINGS_IN, SIBLINGS_OUT, PAPER):
            source = Source(**material, protocol=protocol, workers=1)
            config = a_run_config(spec=six_stages(32), epochs=1)
            train_run(config, source, root / protocol)
            evaluate_model(root / protocol, source)
    return root


def test_a_run_records_its_protocol_and_the_papers_copies_are_its_variants(arms):
    for protocol in (SIBLINGS_IN, SIBLINGS_OUT, PAPER):
        assert load_config(arms / protocol).data.protocol == protocol
    assert load_config(arms / PAPER).variants == 1
    assert load_config(arms / SIBLINGS_IN).variants == a_run_config().variants


def test_the_report_at_the_end_of_a_training_carries_the_warning(arms):
    for folder in (arms / PAPER, arms / PAPER / "test"):
        assert WARNINGS[PAPER] in (folder / "report.md").read_text()
        assert json.loads((folder / "metrics.json").read_text())["protocol"] == PAPER


def test_the_report_of_a_run_names_the_commands_that_made_run_and_report(arms, material):
    page = (arms / PAPER / "test" / "report.md").read_text()
    source = f"--data DATA/set --split RUNS/{material['data'].parent.name}/split.csv"
    source += " --protocol paper"
    assert f"python -m training train test --seed 1 {source} --out RUNS/paper\n" in page
    assert f"python -m training evaluate --model RUNS/paper {source} --part test\n" in page


def test_another_protocol_refuses_the_run_and_says_why(arms, material):
    with pytest.raises(RunError, match="judged on pictures that it was trained on"):
        evaluate_model(arms / PAPER, Source(**material, workers=1))


def test_what_leaks_does_not_ship(arms, material, tmp_path):
    with pytest.raises(ExportError, match="'paper', inflated by design"):
        export_run(
            arms / PAPER, **material, out=tmp_path / "a.onnx", name="inflated", version="0.0.1"
        )
    assert list(tmp_path.iterdir()) == []


def test_the_leak_gap_is_measured_where_a_sibling_is_and_where_none_is(arms, tmp_path):
    first, second = arms / SIBLINGS_IN / "test", arms / SIBLINGS_OUT / "test"
    found = compare_reports([first], [second], out=tmp_path / "gap")
    judged = read_report(first)
    siblings = Counter(judged.has_sibling_N.tolist())
    assert not read_report(second).has_sibling_N.any()
    with_sibling, without = (name for name in found.counts if "sibling" in name)
    assert found.counts[with_sibling] == siblings[True] > 0
    assert found.counts[without] == siblings[False] > 0
    gap = found.differences["all pictures"]["auroc"]
    assert gap.low <= gap.value <= gap.high
    page = (tmp_path / "gap" / "report.md").read_text()
    assert f"{gap.value:+.3f} ({gap.low:+.3f} to {gap.high:+.3f})" in page
    for protocol in (SIBLINGS_IN, SIBLINGS_OUT):
        assert WARNINGS[protocol] in page
    document = json.loads((tmp_path / "gap" / "comparison.json").read_text())
    assert document["differences"]["all pictures"]["auroc"]["value"] == gap.value


def test_kept_predictions_give_the_figures_of_the_report(arms):
    """What is compared later is what was evaluated."""
    folder = arms / SIBLINGS_OUT / "test"
    auroc = compare_reports([folder], [folder]).differences["all pictures"]["auroc"]
    reported = json.loads((folder / "metrics.json").read_text())["metrics"]["auroc"]["value"]
    assert auroc.first == pytest.approx(reported, abs=1e-9)
    assert (auroc.value, auroc.low, auroc.high) == (0, 0, 0)


def test_evaluations_of_other_pictures_cannot_be_compared(arms):
    with pytest.raises(DataError, match="pictures are not in both"):
        compare_reports([arms / SIBLINGS_IN / "test"], [arms / PAPER / "test"])


def test_the_verbs_compare_and_page_end_in_one_page(arms, tmp_path, capsys):
    folders = [str(arms / name / "test") for name in (SIBLINGS_IN, SIBLINGS_OUT)]
    gap, page = tmp_path / "gap", tmp_path / "docs" / "evaluation.md"
    assert main(["compare", folders[0], "--against", folders[1], "--out", str(gap)]) == 0
    assert "siblings-in" in capsys.readouterr().out
    assert main(["page", folders[0], str(gap), "--out", str(page)]) == 0
    text = page.read_text()
    assert WARNINGS[SIBLINGS_IN] in text
    assert f"siblings-out/test --out RUNS/{gap.name}\n" in text
    shown = {path.name for path in page.with_suffix("").iterdir()}
    assert f"{SIBLINGS_IN}-test-roc.png" in shown
    assert not {name for name in shown if "worst" in name}
    # Again, in place of itself; but of nothing else, and of no two reports of one name.
    assert main(["page", str(gap), "--out", str(page)]) == 0
    assert {path.name for path in page.with_suffix("").iterdir()} == {"gap.json"}
    assert main(["page", str(gap), str(gap), "--out", str(page)]) == 1
    assert "different names" in capsys.readouterr().err
    # Two reports that are called after the same part are named with their runs.
    assert main(["page", *folders, "--out", str(page)]) == 0
    assert {f"{name}-test.json" for name in (SIBLINGS_IN, SIBLINGS_OUT)} <= {
        path.name for path in page.with_suffix("").iterdir()
    }
    other = tmp_path / "notes.md"
    other.write_text("# Notes\n")
    assert main(["page", str(gap), "--out", str(other)]) == 1
    assert other.read_text() == "# Notes\n"


def test_the_protocols_stand_in_one_table_with_what_leaks(arms, tmp_path, capsys):
    folders = [str(arms / name / "test") for name in (PAPER, SIBLINGS_OUT, SIBLINGS_IN)]
    table, page = tmp_path / "table", tmp_path / "evaluation.md"
    assert main(["protocols", *folders, "--out", str(table)]) == 0
    assert "paper" in capsys.readouterr().out
    assert main(["page", str(table), "--out", str(page)]) == 0
    text = page.read_text()
    assert all(WARNINGS[name] in text for name in (PAPER, SIBLINGS_IN, SIBLINGS_OUT))
    assert "python -m training protocols RUNS/paper/test RUNS/siblings-out/test" in text
    lines = {line["protocol"]: line for line in json.loads((table / "protocols.json").read_text())}
    # In the order of the protocols, whatever that of the arguments.
    assert list(lines) == [PAPER, SIBLINGS_IN, SIBLINGS_OUT]
    assert lines[SIBLINGS_OUT]["with_sibling_share"] == 0 < lines[SIBLINGS_IN]["with_sibling_share"]
    assert lines[PAPER]["with_sibling_share"] > 0.5
    assert f"| ham10000 | **paper** | test, seed 1 | {lines[PAPER]['pictures']:,} |" in text
    assert f"--out RUNS/{table.name}\n" in text


def test_reports_of_several_parts_stand_in_no_table(arms):
    with pytest.raises(RunError, match="expected reports of one part, found test, validation"):
        tabulate([arms / PAPER, arms / PAPER / "test"])


def test_a_report_of_before_is_asked_for_again(arms, tmp_path):
    older = tmp_path / "test"
    shutil.copytree(arms / PAPER / "test", older)
    document = json.loads((older / "metrics.json").read_text())
    del document["dataset"]
    (older / "metrics.json").write_text(json.dumps(document))
    with pytest.raises(RunError, match="expected dataset, found none; evaluate again"):
        tabulate([older])


def test_a_folder_without_a_report_is_named(tmp_path, capsys):
    assert main(["compare", str(tmp_path), "--against", str(tmp_path)]) == 1
    assert "expected a report" in capsys.readouterr().err
    assert main(["page", str(tmp_path), "--out", str(tmp_path / "page.md")]) == 1
    assert f"found no report.md in {tmp_path}" in " ".join(capsys.readouterr().err.split())
