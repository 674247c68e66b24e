"""The command line: help that helps, errors that are one message, and verbs that do the work."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.training.sets import a_ham10000
from tests.training.small import a_data_set, a_finished_run, a_split
from training.cli import app, main
from training.recipes import RECIPES

ROOT = Path(__file__).resolve().parents[2]
VERBS = [command.callback.__name__ for command in app.registered_commands]


def test_the_verbs_are_those_of_the_documentation():
    assert VERBS == [
        "audit",
        "train",
        "ablate",
        "evaluate",
        "compare",
        "protocols",
        "page",
        "photographs",
        "refusals",
        "export",
        "card",
        "keygen",
        "bundle",
        "samples",
        "throughput",
        "demo",
    ]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(verb, capsys):
    assert main([verb, "--help"]) == 0
    assert f"python -m training {verb}" in " ".join(capsys.readouterr().out.split())


def test_help_and_errors_come_without_torch():
    """Also what keeps the processes small that prepare pictures: they import the same file."""
    watch = "import sys, training.cli; print('torch' in sys.modules or 'timm' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", watch], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("arguments", [["fly"], ["train"], ["audit", "/nowhere"]])
def test_wrong_usage_is_status_two(arguments, capsys):
    assert main(arguments) == 2
    assert "Error" in capsys.readouterr().err


def test_faulty_data_is_one_message_and_status_one(tmp_path, capsys):
    root = a_ham10000(tmp_path / "set", [("L1", "I1", "wart"), ("L2", "I2", "corn")])
    assert main(["audit", str(root)]) == 1
    error = capsys.readouterr().err
    assert "I1: unknown dx 'wart'" in error
    assert "I2: unknown dx 'corn'" in error
    assert "Traceback" not in error


def test_an_unknown_recipe_names_the_known_ones(tmp_path, capsys):
    arguments = ["train", "fastest", "--data", str(tmp_path), "--out", str(tmp_path / "run")]
    assert main(arguments) == 1
    assert f"expected one of {', '.join(sorted(RECIPES))}" in capsys.readouterr().err


def test_a_folder_without_a_run_is_no_teacher_and_no_model(tmp_path, capsys):
    data = ["--data", str(tmp_path)]
    assert main(["evaluate", "--model", str(tmp_path), *data]) == 1
    assert "expected a finished run" in capsys.readouterr().err
    train = ["train", "demo_student", *data, "--out", str(tmp_path / "run")]
    assert main([*train, "--teacher", str(tmp_path / "teacher")]) == 1
    assert "found no config.json and no best.pt" in capsys.readouterr().err


def test_a_refused_model_file_is_one_message(tmp_path, capsys):
    model = tmp_path / "model.onnx"
    model.write_bytes(b"no graph")
    assert main(["evaluate", "--model", str(model), "--data", str(tmp_path)]) == 1
    assert "model refused (file)" in capsys.readouterr().err


def test_an_empty_part_is_named(tmp_path, capsys):
    data = a_data_set(tmp_path / "drawn", count=8)
    split = a_split(tmp_path / "split.csv", data)
    run = a_finished_run(tmp_path / "run")
    arguments = ["evaluate", "--model", str(run), "--data", str(data), "--split", str(split)]
    cache = ["--cache", str(tmp_path / "cache"), "--workers", "1"]
    assert main([*arguments, *cache, "--part", "tests"]) == 1
    assert "part 'tests'" in capsys.readouterr().err


def test_audit_writes_the_split_that_it_shows(tmp_path, capsys):
    rows = [(f"L{i // 2}", f"I{i}", ("nv", "mel")[i // 2 % 2]) for i in range(12)]
    root = a_ham10000(tmp_path / "set", rows)
    assert main(["audit", str(root), "--out", str(tmp_path / "audit"), "--draws", "3"]) == 0
    assert sorted(path.name for path in (tmp_path / "audit").iterdir()) == [
        "audit.json",
        "split.csv",
    ]
    assert "0.0%" in capsys.readouterr().out
