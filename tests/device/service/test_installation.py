"""What is installed is held against what was released."""

import hashlib
import json

import pytest

from device.core.checkup import Verdict
from device.service.installation import check_installation

pytestmark = pytest.mark.portable


@pytest.fixture
def release(tmp_path):
    packages = tmp_path / "lib/site-packages"
    files = {"device/cli.py": b"code", "numpy/core.so": b"library", "a.dist-info/METADATA": b"A"}
    lines = []
    for name, content in files.items():
        (packages / name).parent.mkdir(parents=True, exist_ok=True)
        (packages / name).write_bytes(content)
        lines.append(f"{hashlib.sha256(content).hexdigest()}  {name}\n")
    (packages / "device/__pycache__").mkdir()
    (packages / "device/__pycache__/cli.cpython-313.pyc").write_bytes(b"compiled")
    (packages / "a.dist-info/RECORD").write_bytes(b"by pip")
    unit = tmp_path / "board/etc/box.service"
    unit.parent.mkdir(parents=True)
    unit.write_bytes(b"unit")
    digest = hashlib.sha256(b"unit").hexdigest()
    (tmp_path / "board.sha256").write_text(f"{digest}  board/etc/box.service\n")
    (tmp_path / "installed.sha256").write_text("".join(lines))
    (tmp_path / "release.json").write_text(json.dumps({"name": "1.2.3-abc"}))
    return tmp_path


def look(release):
    return check_installation(release, release / "lib/site-packages")


def test_all_as_released(release):
    found = look(release)
    assert (found.verdict, found.found) == (Verdict.OK, "1.2.3-abc, all 4 files as released")


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("device/cli.py", b"cool", "changed: device/cli.py"),
        ("device/cli.py", None, "missing: device/cli.py"),
        ("device/more.py", b"", "never released: device/more.py"),
        ("b.dist-info/METADATA", b"", "never released: b.dist-info/METADATA"),
    ],
)
def test_one_file_that_differs_is_named(release, name, content, told):
    file = release / "lib/site-packages" / name
    if content is None:
        file.unlink()
    else:
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)
    found = look(release)
    assert (found.verdict, found.found) == (Verdict.FAILURE, f"1.2.3-abc: {told}")
    assert found.remedy


def test_a_unit_that_differs_is_named(release):
    (release / "board/etc/box.service").write_bytes(b"\xff")
    assert look(release).found == "1.2.3-abc: changed: board/etc/box.service"


@pytest.mark.parametrize("name", ["installed.sha256", "board.sha256"])
def test_a_release_without_its_list_is_not_taken_for_sources(release, name):
    (release / name).unlink()
    found = look(release)
    assert (found.verdict, found.found) == (Verdict.FAILURE, f"1.2.3-abc: {name} is missing")


def test_of_many_files_some_are_named(release):
    for number in range(5):
        (release / f"lib/site-packages/stray{number}.py").touch()
    assert look(release).found.endswith("stray0.py, stray1.py, stray2.py and 2 more")


def test_sources_are_no_release(tmp_path):
    assert look(tmp_path).found == "none: this runs from its sources"
