"""
What an Arm processor would answer, held against what this machine answers.

Run by ``run.sh``.  The wheels are those of the release that Ansible would bring to a Raspberry Pi,
every installed file held against the release's own manifest.  Writes
``bench/results/arm64.json``; fails when a bar is missed.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
from collections import Counter
from pathlib import Path

import cv2
import onnx

from device.core.manifest import DIAGNOSES
from device.drawing import draw_lesion
from tests.measured import sources

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "deploy"))
import release  # noqa: E402 - a program, not a package

WORK = ROOT / "var/arm64"
RESULTS = ROOT / "bench/results/arm64.json"
PYTHON = "3.13"
PROCESSORS = {"cortex-a72": "Raspberry Pi 4", "cortex-a76": "Raspberry Pi 5"}
ROOMS = ("core", "decode", "preprocess", "decision", "quality", "classifier", "drawing")
TOLERANCE = 1e-4
"""Of a probability, board against workstation."""
EXPECTED_CASTS = 1
"""The picture's bytes become numbers; half-precision weights become full ones while loading."""
TEST_TOOLS = [
    "hypothesis", "iniconfig", "packaging", "pluggy", "pygments", "pytest", "sortedcontainers",
]  # fmt: skip
SEEDS = 2
"""Drawings of each diagnosis."""
PATIENCE = float(os.environ.get("EDGEDERM_E2E_PATIENCE", "1"))
"""How many times longer than on an idle machine everything may take."""
PLAIN = {name: value for name, value in os.environ.items() if not name.startswith("EDGEDERM_")}
"""The device takes such variables for its settings."""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", required=True, type=Path)
    parser.add_argument("--deploy-python", required=True, type=Path)
    options = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    board = Emulated(options.root, options.deploy_python)
    pictures = draw_pictures(WORK / "pictures")
    here = answers([sys.executable, "-P"], pictures, {"PYTHONPATH": str(ROOT)})
    found = {
        "command": "make e2e-arm64",
        **sources(),
        "release": board.release["name"],
        "wheels": board.wheels,
        "files_as_in_the_manifest": board.check_files(),
        "pictures": len(pictures),
        "processors": {},
    }
    for processor, name in PROCESSORS.items():
        began_s = time.monotonic()
        there = answers(board.python(processor, "-P"), pictures, board.environment)
        answered_s = time.monotonic() - began_s
        found["processors"][processor] = {
            "board": name,
            **compare(here, there),
            "golden_difference": board.golden(processor),
            "optimized_graph": board.optimized_graph(processor),
            "answers_s": round(answered_s, 1),
            **board.tests(processor),
        }
        print(processor, json.dumps(found["processors"][processor]), flush=True)
    found["missed"] = [
        f"{processor}: {miss}"
        for processor, one in found["processors"].items()
        for miss in misses(one)
    ]
    RESULTS.write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps(found["missed"]))
    return 1 if found["missed"] else 0


def misses(one):
    """Name the bars that one processor did not meet."""
    casts = one["optimized_graph"].get("Cast", 0)
    return [
        text
        for text, is_missed in {
            f"a probability is off by {one['largest_difference']}": not (
                one["largest_difference"] <= TOLERANCE
            ),
            f"the golden case is off by {one['golden_difference']}": not (
                one["golden_difference"] <= TOLERANCE
            ),
            f"another result for {one['other_results']}": one["other_results"] != [],
            f"{casts} casts, expected {EXPECTED_CASTS}": casts != EXPECTED_CASTS,
            f"{one['failed']} tests failed": one["failed"] != 0,
            f"only {one['passed']} tests ran": one["passed"] < 100,
        }.items()
        if is_missed
    ]


class Emulated:
    """
    A processor that is not this machine's, with a release installed beside it.

    Args:
        root: Unpacked Debian, ``qemu-aarch64`` in it.
        deploy_python: What builds releases.
    """

    def __init__(self, root: Path, deploy_python: Path):
        self._root = root
        self._pip = [deploy_python, "-m", "pip", "--disable-pip-version-check", "--quiet"]
        built = subprocess.run(
            [
                deploy_python, "deploy/release.py", "--python", PYTHON, "--machine", "aarch64",
                "--into", "var/releases",
            ],
            cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.release = json.loads(built.stdout.splitlines()[-1])
        self._unpacked = WORK / self.release["name"]
        complete = self._unpacked / ".complete"
        if not complete.exists():
            for old in WORK.iterdir():
                if old.is_dir():
                    shutil.rmtree(old)
            self._make()
            complete.touch()
        self.wheels = len(list(self._unpacked.glob("wheels/*.whl")))
        self.environment = {"PYTHONPATH": f"{self._site}:{self._tools}"}

    @property
    def _site(self):
        return self._unpacked / "site"

    @property
    def _tools(self):
        return self._unpacked / "tools"

    def _make(self):
        with tarfile.open(self.release["archive"]) as tar:
            tar.extractall(self._unpacked, filter="data")
        self._install(self._unpacked / "requirements.txt", self._site, self._unpacked / "wheels")
        named = self._unpacked / "tools.txt"
        named.write_text(tools_of(ROOT / "locks/dev.txt"))
        self._install(named, self._tools, None)

    def _install(self, requirements, into, wheels):
        """As ``install.py`` does on the board, but by this machine's pip for the other one."""
        source = [] if wheels is None else ["--no-index", "--find-links", wheels]
        platforms = release._PLATFORMS + release._OLDER_PLATFORMS
        subprocess.run(
            [
                *self._pip, "install", "--require-hashes", "--no-deps", "--only-binary", ":all:",
                *source, "--target", into, "--implementation", "cp", "--python-version", PYTHON,
                *(f"--platform={one}_aarch64" for one in platforms), "--requirement", requirements,
            ],
            check=True,
        )  # fmt: skip

    def python(self, processor, *arguments):
        """Return the command that runs Python on *processor*."""
        return [
            self._root / "qemu-aarch64", "-L", self._root, "-cpu", processor,
            self._root / "usr/bin" / f"python{PYTHON}", *arguments,
        ]  # fmt: skip

    def check_files(self):
        """Count the files that the release's manifest describes; all must be as it says."""
        lines = (self._unpacked / "installed.sha256").read_text().splitlines()
        for line in lines:
            digest, _, name = line.partition("  ")
            if hashlib.sha256((self._site / name).read_bytes()).hexdigest() != digest:
                raise SystemExit(f"{name} is not what the release's manifest says")
        return len(lines)

    def golden(self, processor):
        """Return by how much the shipped model's golden case is off."""
        text = run(
            self.python(processor, "-P", "-m", "device", "inspect", model_of(self._site)),
            self.environment,
        )
        return json.loads(text)["golden_difference"]

    def optimized_graph(self, processor):
        """Count the operators of the graph that ONNX Runtime makes for *processor*."""
        made = WORK / f"{processor}.onnx"
        program = (
            "import onnxruntime, sys; from device.classifier import providers; "
            "options = providers._options(1); options.optimized_model_filepath = sys.argv[2]; "
            "onnxruntime.InferenceSession(sys.argv[1], options, [providers.CPU])"
        )
        run(
            self.python(processor, "-P", "-c", program, model_of(self._site), made),
            self.environment,
        )
        nodes = Counter(node.op_type for node in onnx.load(made).graph.node)
        return dict(sorted(nodes.items()))

    def tests(self, processor):
        """Run the portable tests against the installed release, not against this checkout."""
        place = WORK / "tests"
        if place.exists():
            shutil.rmtree(place)
        for room in ROOMS:
            shutil.copytree(ROOT / "tests/device" / room, place / "tests/device" / room)
        shutil.copy(ROOT / "tests/builders.py", place / "tests")
        shutil.copy(ROOT / "pyproject.toml", place)
        log = WORK / f"tests-{processor}.txt"
        report = WORK / f"tests-{processor}.xml"
        began_s = time.monotonic()
        with log.open("w") as file:
            done = subprocess.run(
                self.python(
                    processor, "-P", "-m", "pytest", "-q", "-m", "portable",
                    "-p", "no:cacheprovider", f"--junit-xml={report}", "tests",
                ),
                cwd=place, check=False, stdout=file, stderr=subprocess.STDOUT,
                env={**PLAIN, **self.environment}, timeout=1200 * PATIENCE,
            )  # fmt: skip
        last = log.read_text().splitlines()[-1]
        counts = {word: int(number) for number, word in re.findall(r"(\d+) (\w+)", last)}
        failed = sum(counts.get(word, 0) for word in ("failed", "error", "errors"))
        if done.returncode and not failed:
            raise SystemExit(f"the tests did not run; see {log}")
        return {
            "passed": counts.get("passed", 0),
            "failed": failed,
            "skipped": counts.get("skipped", 0),
            "tests_s": round(time.monotonic() - began_s, 1),
        }


def draw_pictures(into: Path):
    """Return the shipped samples and drawings of every diagnosis, as files."""
    into.mkdir(exist_ok=True)
    made = sorted((ROOT / "device/samples").glob("*.jpg"))
    for diagnosis in DIAGNOSES:
        for seed in range(SEEDS):
            path = into / f"{diagnosis}-{seed}.jpg"
            picture_HWC = draw_lesion(seed, diagnosis=diagnosis, height_px=480, width_px=640)
            cv2.imwrite(str(path), picture_HWC[:, :, ::-1])
            made.append(path)
    return made


def answers(python, pictures, environment):
    text = run([*python, "-m", "device", "classify", *pictures], environment)
    return [json.loads(line) for line in text.splitlines()]


def compare(here, there):
    """Say by how much probabilities differ, and for which pictures the result does."""
    pairs = list(zip(here, there, strict=True))
    return {
        "largest_difference": max(
            abs(one["probability_malignant"] - other["probability_malignant"])
            for one, other in pairs
        ),
        "other_results": [
            Path(one["file"]).name for one, other in pairs if one["result"] != other["result"]
        ],
        "results": dict(sorted(Counter(other["result"] for _, other in pairs).items())),
    }


def tools_of(lock: Path):
    entries = release.read_lock(lock.read_text())
    return "\n".join(entries[name] for name in TEST_TOOLS) + "\n"


def model_of(site):
    return site / "device/models/student.onnx"


def run(command, environment):
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=WORK, timeout=300 * PATIENCE,
        env={**PLAIN, **environment},
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(
            f"{' '.join(map(str, command[:12]))} ...: {done.returncode}\n{done.stderr[-3000:]}"
        )
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
