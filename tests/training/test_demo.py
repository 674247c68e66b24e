"""The whole path, once, as small as it goes: from drawn pictures to the device's answer."""

import csv
import itertools
import json
from collections import Counter

import numpy as np
import pytest

from training.commands.evaluate import evaluate_model
from training.commands.train import configure, train_run
from training.data.readers import read_dataset
from training.data.splits import SPLIT_NAME, TEST, VALIDATION, read_split
from training.demo import SHARES, draw_dataset, run_demo
from training.errors import RunError
from training.runs import CURVES_NAME, VIEWS_NAME, DistillationConfig, load_config
from training.source import Source

PICTURES = 140


@pytest.fixture(autouse=True)
def _on_the_cpu(monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")


def test_drawn_sets_have_all_diagnoses_several_pictures_and_no_telling_names(tmp_path):
    draw_dataset(tmp_path, pictures=70)
    cases = read_dataset(tmp_path)
    assert {case.dataset for case in cases} == {"drawn"}
    counts = Counter(case.diagnosis for case in cases)
    assert counts == {dx.upper(): max(1, round(share * 70)) for dx, share in SHARES.items()}
    lesions = Counter(case.lesion_id for case in cases)
    assert max(lesions.values()) in {2, 3}
    # Sorted by name, the labels are shuffled: far more changes than classes.
    labels = [case.diagnosis for case in sorted(cases, key=lambda case: case.image_id)]
    assert sum(a != b for a, b in itertools.pairwise(labels)) > 20


def test_a_drawn_set_is_the_same_again(tmp_path):
    for name in ("first", "second"):
        draw_dataset(tmp_path / name, pictures=14)
    first, second = (read_dataset(tmp_path / name) for name in ("first", "second"))
    assert [case.path.read_bytes() for case in first] == [case.path.read_bytes() for case in second]


def test_the_command_line_changes_a_recipe_only_where_told(tmp_path):
    plain = configure("demo_teacher")
    assert configure("demo_teacher", seed=5) == plain.model_copy(update={"seed": 5})
    for name in ("config.json", "best.pt"):
        (tmp_path / name).touch()
    taught = configure("demo_student", teachers=[tmp_path])
    assert taught.distillation == DistillationConfig(
        teacher_runs=(tmp_path,), views=None, kd_temperature=1.0, kd_share=0.5
    )
    looked_at_once = configure("demo_student", teachers=[tmp_path], views=3).distillation
    assert looked_at_once.views == 3
    with pytest.raises(RunError, match="expected one of"):
        configure("demo")


def test_weights_come_from_files_called_after_their_backbones(tmp_path):
    for name in ("mobilenetv3_small_050.pth", "test_convnext.safetensors"):
        (tmp_path / name).touch()
    found = configure("demo_teacher", weights=tmp_path).model.backbones
    assert [b.weights for b in found] == [
        str(tmp_path / "mobilenetv3_small_050.pth"),
        str(tmp_path / "test_convnext.safetensors"),
    ]
    (tmp_path / "test_convnext.safetensors").unlink()
    with pytest.raises(RunError, match=r"found none called test_convnext with one of"):
        configure("demo_teacher", weights=tmp_path)
    with pytest.raises(RunError, match="leave out --weights"):
        configure("student_control", weights=tmp_path)


def test_a_member_of_a_fused_teacher_can_be_asked_for(tmp_path):
    alone = configure("demo_teacher", member="test_convnext", seed=3)
    assert [backbone.name for backbone in alone.model.backbones] == ["test_convnext"]
    assert (alone.seed, alone.recipe) == (3, "demo_teacher --member test_convnext")
    with pytest.raises(RunError, match="expected one of mobilenetv3_small_050, test_convnext"):
        configure("demo_teacher", member="convnext")
    with pytest.raises(RunError, match="fuses no backbones; leave out --member"):
        configure("student_control", member="test_convnext")
    with pytest.raises(RunError, match="leave out --teacher"):
        configure("demo_teacher", member="test_convnext", teachers=[tmp_path])


def test_a_teacher_is_given_where_the_recipe_has_one_and_nowhere_else(tmp_path):
    with pytest.raises(RunError, match="name a finished run: --teacher"):
        configure("demo_student")
    with pytest.raises(RunError, match="from labels alone; leave out --teacher"):
        configure("demo_teacher", teachers=[tmp_path])
    with pytest.raises(RunError, match="expected a finished run"):
        configure("demo_student", teachers=[tmp_path])
    for name in ("config.json", "best.pt"):
        (tmp_path / name).touch()
    with pytest.raises(RunError, match="each run once"):
        configure("demo_student", teachers=[tmp_path, tmp_path])


@pytest.mark.slow
def test_the_whole_path(tmp_path, capsys):
    """Draw, audit, teach, learn, export, evaluate, answer; then go on and look again."""
    demo = run_demo(tmp_path, pictures=PICTURES, epochs=1, workers=1)
    printed = capsys.readouterr().out
    assert "7. let the device answer" in printed
    assert demo.answer["result"] in {"benign", "malignant", "uncertain", "retake"}
    assert 0 <= demo.answer["probability_malignant"] <= 1
    assert demo.answer["model"]["name"] == "edgederm-demo"

    # What the demo left is what the verbs leave.
    student = tmp_path / "student"
    assert load_config(student).distillation.teacher_runs == ((tmp_path / "teacher").resolve(),)
    assert json.loads((student / "metrics.json").read_text())["part"] == VALIDATION
    assert (student / "report.md").is_file()
    split = read_split(tmp_path / SPLIT_NAME)
    with (tmp_path / "report" / "predictions.csv").open(newline="") as file:
        judged = {row["image_id"] for row in csv.DictReader(file)}
    assert judged == {image for image, part in split.part_of.items() if part == TEST}

    # The file through the device's classifier and the run through torch say the same.
    source = Source(
        data=tmp_path / "data",
        split=tmp_path / SPLIT_NAME,
        cache=tmp_path / "cache",
        workers=1,
    )
    of_run = evaluate_model(student, source)
    assert json.loads((student / TEST / "metrics.json").read_text())["part"] == TEST
    of_file = json.loads((tmp_path / "report" / "metrics.json").read_text())["metrics"]
    assert of_run.metrics["auroc"].value == pytest.approx(of_file["auroc"]["value"], abs=0.01)

    # Of a run, views of each picture may be averaged.
    twice = evaluate_model(tmp_path / "teacher", source, tta=2)
    assert (tmp_path / "teacher" / f"{TEST}-tta-2" / "metrics.json").is_file()
    assert twice.command.endswith("--tta 2")
    with pytest.raises(RunError, match="expected a run for several views"):
        evaluate_model(tmp_path / "models" / "demo.onnx", source, tta=2)

    # Several runs answer together, by the mean of their logits.
    with pytest.raises(RunError, match="name one for the report: --out"):
        evaluate_model(student, source, beside=[tmp_path / "teacher"])
    together = evaluate_model(
        student, source, beside=[tmp_path / "teacher"], out=tmp_path / "together"
    )
    of_teacher = evaluate_model(tmp_path / "teacher", source)
    np.testing.assert_allclose(
        together.malignancy_logit_N,
        (of_run.malignancy_logit_N + of_teacher.malignancy_logit_N) / 2,
    )
    trained = [line.split()[4] for line in of_run.command.splitlines()[:-1]]
    assert trained == ["demo_teacher", "demo_student"], "its teacher first"
    assert together.command.count("training train demo_") == 2
    assert "--beside " in together.command

    # Teacher and student, both at a side of their own, teach another student together.
    again = configure("demo_student", teachers=[tmp_path / "teacher", student], epochs=1, views=1)
    assert train_run(again, source, tmp_path / "second").metrics["auroc"].value > 0
    assert all(list((run / VIEWS_NAME).rglob("*.npy")) for run in (tmp_path / "teacher", student))
    page = (tmp_path / "second" / "report.md").read_text().splitlines()
    trainings = [line for line in page if line.startswith("python -m training train ")]
    assert [line.count("--teacher ") for line in trainings] == [0, 1, 2]

    with pytest.raises(RunError, match="--beside: expected each run once"):
        evaluate_model(student, source, beside=[student], out=tmp_path / "together")

    # A finished run that is asked for again is only judged again.
    again = train_run(load_config(student), source, student)
    assert len((student / "curves.jsonl").read_text().splitlines()) == 1
    assert again.part == VALIDATION

    # A teacher that is still being trained does not teach.
    (tmp_path / "teacher" / CURVES_NAME).write_text("")
    with pytest.raises(RunError, match=r"expected \d+ finished epochs, found 0"):
        train_run(load_config(tmp_path / "second"), source, tmp_path / "third")

    # A student whose teacher is gone, or of another time, is judged all the same.
    (tmp_path / "teacher" / "config.json").write_text("{}")
    assert "teacher: how it was trained is not known" in evaluate_model(student, source).command
