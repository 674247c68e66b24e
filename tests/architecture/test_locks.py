"""The locks are complete, hashed, free of hosts, and keep the limits that the boards set."""

import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ROOT / "locks"

DEVICE_LOCKS = ("device-trixie", "device-bookworm", "device-jetson")
TRAINING_LOCKS = ("training-cpu", "training-cuda")
ALL_LOCKS = (*DEVICE_LOCKS, *TRAINING_LOCKS, "bench", "cluster", "deploy", "dev", "fuzz")

# Limits with a reason; the reasons stand in docs/dependencies.md.
LIMITS = [
    ("device-bookworm", "numpy", "<2"),
    ("device-bookworm", "opencv-python-headless", "<=4.11.0.86"),
    ("device-bookworm", "onnxruntime", ">=1.26,<1.29"),
    ("device-jetson", "onnxruntime", "<1.24,!=1.21.*"),
    ("device-trixie", "numpy", ">=2,<3"),
    ("device-trixie", "onnxruntime", ">=1.26,<1.29"),
    ("training-cpu", "onnxruntime", ">=1.26,<1.29"),
    ("training-cpu", "torch", "==2.13.0"),
    ("training-cuda", "onnxruntime", ">=1.26,<1.29"),
    ("training-cuda", "torch", "==2.13.0"),
]


def entries(lock: str) -> dict[str, tuple[Requirement, list[str]]]:
    """Name to requirement and hashes, as a lock states them."""
    text = (LOCKS / f"{lock}.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    found: dict[str, tuple[Requirement, list[str]]] = {}
    for entry in re.split(r"\n(?=\S)", "\n".join(lines).strip()):
        requirement = Requirement(entry.split(" \\")[0].split(" --hash")[0])
        hashes = re.findall(r"--hash=sha256:([0-9a-f]{64})\b", entry)
        assert requirement.name not in found, f"{lock}: {requirement.name} stands there twice"
        found[requirement.name] = (requirement, hashes)
    return found


def pins(lock: str) -> dict[str, Version]:
    found = {}
    for name, (requirement, _) in entries(lock).items():
        (specifier,) = requirement.specifier
        assert specifier.operator == "=="
        found[name] = Version(specifier.version)
    return found


def direct_dependencies() -> set[str]:
    """Every name in an .in file that asks for a package; not-on-cpu.in names what is left out."""
    names = set()
    for file in LOCKS.glob("*.in"):
        if file.name == "not-on-cpu.in":
            continue
        for line in file.read_text(encoding="utf-8").splitlines():
            if re.match(r"[A-Za-z]", line):
                names.add(Requirement(line.split(" \\")[0]).name)
    return names


@pytest.mark.parametrize("lock", ALL_LOCKS)
def test_every_requirement_is_one_version_with_hashes(lock):
    unhashed = [name for name, (_, hashes) in entries(lock).items() if not hashes]
    assert not unhashed
    assert pins(lock)


@pytest.mark.parametrize("lock", ALL_LOCKS)
def test_a_lock_names_no_host_and_no_path(lock):
    """Where the wheels come from is for the machine that installs to say."""
    text = (LOCKS / f"{lock}.txt").read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"--(extra-)?index-url|--find-links|(^|\s)-[if]\s", text)
    assert not re.search(r"\b[a-z0-9-]+\.(org|com|io|net)\b", text)
    assert not re.search(r"(^|\s)/[a-z]", text)


@pytest.mark.parametrize(("lock", "name", "limit"), LIMITS)
def test_a_lock_keeps_its_limits(lock, name, limit):
    assert pins(lock)[name] in SpecifierSet(limit)


def test_a_lock_names_the_extras_that_its_packages_ask_for():
    """Of what is installed here; pips older than 23.3 find no hash for `coverage[toml]` else."""
    named = [requirement for lock in ALL_LOCKS for requirement, _ in entries(lock).values()]
    missing = [
        f"{distribution.name} asks for {asked}; the lock says {locked.name}"
        for distribution in importlib.metadata.distributions()
        for asked in map(Requirement, distribution.requires or [])
        if asked.marker is None or asked.marker.evaluate({"extra": ""})
        for locked in named
        if canonicalize_name(asked.name) == canonicalize_name(locked.name)
        if not asked.extras <= locked.extras
    ]
    assert missing == []


@pytest.mark.parametrize("lock", DEVICE_LOCKS)
def test_the_device_needs_no_torch(lock):
    assert not pins(lock).keys() & {"torch", "torchvision", "timm", "onnx", "pandas", "pytest"}


@pytest.mark.parametrize("lock", DEVICE_LOCKS)
def test_a_device_lock_satisfies_the_package(lock):
    """What pyproject.toml asks for is what the lock holds."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    python = {"device-jetson": "3.10", "device-bookworm": "3.11", "device-trixie": "3.13"}[lock]
    locked = pins(lock)
    for requirement in map(Requirement, project["dependencies"]):
        if requirement.marker and not requirement.marker.evaluate({"python_version": python}):
            continue
        assert locked[requirement.name] in requirement.specifier, requirement


@pytest.mark.parametrize("lock", ALL_LOCKS)
def test_opencv_comes_without_a_display(lock):
    assert not pins(lock).keys() & {"opencv-python", "opencv-contrib-python"}


def test_the_cpu_lock_brings_nothing_of_cuda():
    strays = [
        name for name in pins("training-cpu") if name.startswith(("nvidia", "cuda", "triton"))
    ]
    assert not strays
    assert pins("training-cpu")["torch"] == Version("2.13.0+cpu")


def test_both_training_locks_agree():
    cpu, cuda = pins("training-cpu"), pins("training-cuda")
    del cpu["torch"]
    assert cpu == {name: cuda[name] for name in cpu}


@pytest.mark.parametrize("lock", TRAINING_LOCKS)
def test_training_sees_the_device_as_trixie_runs_it(lock):
    trixie = pins("device-trixie")
    assert trixie == {name: pins(lock).get(name) for name in trixie}


@pytest.mark.parametrize("lock", ["device-trixie", "device-bookworm", *TRAINING_LOCKS])
def test_the_test_tools_go_on_top_of_a_lock(lock):
    """Both are installed by one pip command, which takes one version of a package."""
    tools, base = pins("dev"), pins(lock)
    shared = tools.keys() & base.keys()
    assert {name: base[name] for name in shared} == {name: tools[name] for name in shared}


@pytest.mark.parametrize("lock", [*TRAINING_LOCKS, "dev"])
def test_the_cluster_changes_nothing_that_is_installed(lock):
    """Its lock goes on top of a training lock and, for the tests, of the test tools."""
    cluster, base = pins("cluster"), pins(lock)
    shared = cluster.keys() & base.keys()
    assert {name: base[name] for name in shared} == {name: cluster[name] for name in shared}


@pytest.mark.parametrize("name", sorted(direct_dependencies()))
def test_every_direct_dependency_has_its_reason(name):
    """A row of a table in docs/dependencies.md: name, reason, version rule, locks."""
    page = (ROOT / "docs/dependencies.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith(f"| {name} |")]
    assert len(rows) == 1
    assert all(cell.strip() for cell in rows[0].strip("|").split("|"))
