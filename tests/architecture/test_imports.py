"""Which way imports point, who may open which library, and what an import must not do."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("device", "training", "bench")

# A library has one door: the paths below which it may be imported.  A path ends in "/" for a whole
# room.  What is not named here may be imported anywhere that the contracts in pyproject.toml allow.
DOORS = {
    "accelerate": ("training/",),
    "ai_edge_litert": ("bench/litert_student.py",),
    "cryptography": (
        "device/access/certificate.py",
        "device/bundle/minisign.py",
        "training/export/keys.py",
    ),
    "flatbuffers": ("bench/litert_student.py",),
    "fastapi": ("device/api/", "device/service/daemon.py"),
    "gpiod": ("device/panel/gpio.py",),
    "libcamera": ("device/camera/libcamera.py",),
    "matplotlib": ("training/", "bench/plot.py"),
    "ncnn": ("bench/ncnn_student.py",),
    "onnx": (
        "training/ablation/quantization.py",
        "training/export/",
        "bench/peers.py",
        "bench/shapes.py",
        "bench/student.py",
    ),
    "onnxruntime": (
        "device/classifier/",
        "training/ablation/quantization.py",
        "training/export/",
        "bench/peers.py",
    ),
    "pandas": ("training/",),
    "picamera2": ("device/camera/libcamera.py",),
    "PIL": ("device/decode/", "training/", "bench/ways.py"),
    "pydantic_settings": ("device/settings.py",),
    "prometheus_client": ("device/metrics/figures.py",),
    "ray": ("training/ablation/engines.py",),
    "reportlab": ("device/history/report.py",),
    "rich": ("training/", "bench/terminal.py"),
    "sklearn": ("training/",),
    "sqlite3": ("device/history/",),
    "starlette": ("device/api/", "device/service/daemon.py"),
    "timm": ("training/models/",),
    "torch": ("training/",),
    "torchvision": ("training/",),
    "typer": ("training/",),
    "uvicorn": ("device/api/", "device/service/daemon.py"),
}

PURE_ROOMS = ("bundle", "decision", "decode", "drawing", "preprocess", "quality")
# The caller hands in clocks and streams; a pure room starts nothing and asks nobody.
IMPURE = {"asyncio", "multiprocessing", "socket", "subprocess", "threading", "time"}


def sources(*folders: str) -> list[Path]:
    """Every Python file below the folders that exist, as paths from the root."""
    files = [file for folder in folders for file in sorted((ROOT / folder).rglob("*.py"))]
    return [file.relative_to(ROOT) for file in files]


def imported_libraries(file: Path) -> set[str]:
    """The top-level names a file imports, inside functions as well."""
    names: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8"), str(file))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def is_at_its_door(file: Path, library: str) -> bool:
    path = file.as_posix()
    return any(
        path.startswith(door) if door.endswith("/") else path == door for door in DOORS[library]
    )


def test_the_import_contracts_hold():
    """The contracts stand in pyproject.toml; the report names the import that breaks one."""
    report = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert report.returncode == 0, report.stdout + report.stderr


def test_a_library_has_one_door():
    strays = [
        f"{file} imports {library}, whose door is {' or '.join(DOORS[library])}"
        for file in sources(*PACKAGES)
        for library in sorted(imported_libraries(file) & DOORS.keys())
        if not is_at_its_door(file, library)
    ]
    assert not strays, "\n".join(strays)


@pytest.mark.parametrize(
    ("path", "library", "expected"),
    [
        ("device/classifier/onnx_runtime.py", "onnxruntime", True),
        ("device/quality/gate.py", "onnxruntime", False),
        ("bench/peers.py", "onnxruntime", True),
        ("bench/peers_of_peers.py", "onnxruntime", False),
    ],
)
def test_a_door_is_a_room_or_one_file(path, library, expected):
    assert is_at_its_door(Path(path), library) is expected


# Where a library's module is not called as its package is.
PACKAGE_OF = {
    "cv2": "opencv-python-headless",
    "PIL": "pillow",
    "sklearn": "scikit-learn",
}
FROM_THE_BOARD = {"libcamera", "picamera2"}  # the Pi's own system brings them


@pytest.mark.parametrize("package", PACKAGES)
def test_what_the_code_imports_is_asked_for_by_name(package):
    """A library that merely comes along with another may go as it came."""
    asked_for = set(
        re.findall(
            r"^[a-z][a-z0-9-]*",
            "\n".join(file.read_text(encoding="utf-8") for file in (ROOT / "locks").glob("*.in")),
            re.MULTILINE,
        )
    )
    known = sys.stdlib_module_names | FROM_THE_BOARD | set(PACKAGES)
    imported = set().union(*(imported_libraries(file) for file in sources(package))) - known
    unasked = sorted(
        {PACKAGE_OF.get(name, name.replace("_", "-")) for name in imported} - asked_for
    )
    assert not unasked


def test_pure_rooms_keep_no_clock_and_start_no_thread():
    strays = {
        str(file): sorted(found)
        for file in sources(*(f"device/{room}" for room in PURE_ROOMS))
        if (found := imported_libraries(file) & IMPURE)
    }
    assert not strays


def test_core_needs_only_numpy_and_pydantic():
    allowed = sys.stdlib_module_names | {"device", "numpy", "pydantic", "typing_extensions"}
    strays = {
        str(file): sorted(found)
        for file in sources("device/core")
        if (found := imported_libraries(file) - allowed)
    }
    assert not strays


# Run in a fresh interpreter: import every module of device and report what its own code did
# meanwhile.  Walking outwards from an event, a frame of the import machinery before any frame of
# device means that a library, or the loading of a file, is the cause.
WATCH_IMPORTS = """
import importlib, logging, pathlib, pkgutil, sys, threading
import pydantic

# pydantic looks for plug-ins when the first model is defined; that is its deed, not ours.
pydantic.create_model("First")

root = str(pathlib.Path("device").resolve())
watched = ("open", "os.mkdir", "os.system", "socket.", "sqlite3.", "subprocess.", "_thread.")
deeds = []

def watch(event, args):
    if not event.startswith(watched):
        return
    frame = sys._getframe(1)
    while frame and not frame.f_code.co_filename.startswith("<frozen importlib"):
        if frame.f_code.co_filename.startswith(root):
            deeds.append(f"{frame.f_code.co_filename}:{frame.f_lineno} {event} {args}")
            return
        frame = frame.f_back

sys.addaudithook(watch)
import device

modules = [found.name for found in pkgutil.walk_packages(device.__path__, "device.")]
for name in modules:
    if name == "device.__main__":  # starting is its purpose
        continue
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as missing:
        if missing.name not in {"libcamera", "picamera2"}:  # on a Pi only, and only when chosen
            raise
deeds += [f"thread {thread.name}" for thread in threading.enumerate()[1:]]
deeds += [f"log handler {handler}" for handler in logging.getLogger().handlers]
deeds += [f"loads {name}" for name in ("torch", "timm", "training", "bench") if name in sys.modules]
print(*deeds, sep="\\n", end="")
print(f"imported {len(modules)} modules", file=sys.stderr)
"""


def watch_imports(folder: Path) -> str:
    """What importing everything below *folder*/device did, a line for each deed."""
    run = subprocess.run(
        [sys.executable, "-c", WATCH_IMPORTS],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.portable
def test_importing_device_does_nothing():
    """No file, socket, thread or log handler, and no torch: a module is only read."""
    assert not watch_imports(ROOT)


def test_the_watch_sees_a_module_that_acts_on_import(tmp_path):
    (tmp_path / "device").mkdir()
    (tmp_path / "device/__init__.py").write_text("import json\n")
    (tmp_path / "device/eager.py").write_text(
        "import pathlib, threading\n"
        "pathlib.Path('state').write_text('opened')\n"
        "threading.Thread(target=threading.Event().wait, name='eager', daemon=True).start()\n"
    )
    deeds = watch_imports(tmp_path)
    assert "eager.py:2 open" in deeds
    assert "thread eager" in deeds
