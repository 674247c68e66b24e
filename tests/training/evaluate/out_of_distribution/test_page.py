"""The command measures a file that was exported, and fills the page between its marks."""

import pytest

from device.classifier import OnnxClassifier
from tests.training.evaluate.out_of_distribution.packages import (
    a_list,
    a_photograph,
    a_wheel,
    encoded,
)
from tests.training.sets import a_ham10000
from tests.training.small import a_finished_run, a_split_of, a_student, a_student_config
from training.cli import main
from training.data.provenance import describe_data
from training.data.readers import read_dataset
from training.data.splits import read_split
from training.evaluate.marked_page import BEGIN, END
from training.evaluate.out_of_distribution import photographs, study
from training.evaluate.out_of_distribution.broken_frames import BREAKS
from training.evaluate.out_of_distribution.scenes import SCENES
from training.export.export import export_run
from training.runs import load_config, save_config

PAGE = f"# Title\n\nBefore.\n\n{BEGIN}\nold\n{END}\n\nAfter.\n"


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """Drawn lesions, drawn photographs, and a student with random weights and a wide embedding."""
    root = tmp_path_factory.mktemp("refusals")
    codes = ("nv", "mel", "bcc", "bkl")
    rows = [(f"L{i}", f"I{i}", codes[i // 4 % 4]) for i in range(160)]
    data = a_ham10000(root / "ham10000", rows)
    split = a_split_of(root / "split.csv", read_dataset(data))
    config = a_student_config().model_copy(update={"embedding_channels": 40})
    run = a_finished_run(root / "run", a_student(config=config))
    described = describe_data(read_dataset(data), read_split(split))
    save_config(run, load_config(run).model_copy(update={"data": described, "model": config}))
    pictures = {f"{n}.png": encoded(n) for n in range(3)}
    a_wheel(root / "photographs", pictures)
    rows = [a_photograph(name, content) for name, content in pictures.items()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(photographs, "LIST", a_list(root / "list.csv", rows))
        patch.setattr(study, "OF_EACH", 1)
        assert main(["photographs", str(root / "photographs")]) == 0
        out = root / "models" / "student.onnx"
        export_run(
            run,
            data=data,
            split=split,
            cache=root / "cache",
            out=out,
            name="drawn",
            version="0.0.1",
            photographs=root / "photographs",
        )
        yield {
            "--model": out,
            "--data": data,
            "--split": split,
            "--cache": root / "cache",
            "--photographs": root / "photographs",
        }


def words(material):
    return [str(word) for option in material.items() for word in option]


def test_contract_and_card_say_what_is_refused(material):
    manifest = OnnxClassifier(material["--model"]).manifest
    assert {"refused", "refused_MEL", "novelty_auroc_photographs", "refused_scenes"} <= set(
        manifest.metrics
    )
    assert manifest.out_of_distribution.mean_D.size == 40
    card = (material["--model"].parent / "README.md").read_text()
    figure = manifest.metrics["novelty_auroc_photographs"]
    assert f"| novelty_auroc_photographs | {figure.value:.4f} |" in card
    assert "--photographs PHOTOGRAPHS" in card


def test_the_page_is_filled_between_its_marks(material, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    further = ["--elsewhere", str(material["--data"]), "--page", str(page)]
    assert main(["refusals", *words(material), *further]) == 0
    text = page.read_text()
    assert text.startswith("# Title\n\nBefore.\n")
    assert text.endswith("After.\n")
    assert "old" not in text
    assert OnnxClassifier(material["--model"]).identity.sha256 in text
    for name in ("| natural photographs | 3 |", "| test part | 40 |", "| ham10000, from elsewhere"):
        assert name in text
    for kind in (*SCENES, *BREAKS):
        assert f"| {kind} | 1 |" in text
    assert "(shipped) |" in text


def test_a_page_without_marks_is_refused(material, tmp_path, capsys):
    """Before anything is measured: the photographs are not even looked for."""
    page = tmp_path / "page.md"
    page.write_text("# Title\n")
    elsewhere = material | {"--photographs": tmp_path}
    assert main(["refusals", *words(elsewhere), "--page", str(page)]) == 1
    assert "expected a page with the lines" in capsys.readouterr().err
    assert page.read_text() == "# Title\n"
