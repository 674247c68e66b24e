"""A release: the same bytes from the same commit, with what a board checks it by."""

import hashlib
import importlib.metadata
import importlib.util
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SPEC = importlib.util.spec_from_file_location("release", ROOT / "deploy/release.py")
release = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(release)

METADATA = "Metadata-Version: 2.4\nName: Some_Thing\nVersion: 1.0\nLicense-Expression: MIT\n"
OWN = "Metadata-Version: 2.4\nName: edgederm\nVersion: 0.1.0\nLicense: Apache-2.0\n"


@pytest.fixture
def wheels(tmp_path):
    """A library with a file of every kind, and our own."""
    library = tmp_path / "some_thing-1.0-py3-none-any.whl"
    with zipfile.ZipFile(library, "w") as content:
        content.writestr("some_thing/__init__.py", "one")
        content.writestr("some_thing-1.0.data/platlib/extra.so", "two")
        content.writestr("some_thing-1.0.data/scripts/thing", "three")
        content.writestr("some_thing-1.0.dist-info/METADATA", METADATA)
        content.writestr("some_thing-1.0.dist-info/RECORD", "")
    own = tmp_path / "edgederm-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(own, "w") as content:
        content.writestr("edgederm-0.1.0.dist-info/METADATA", OWN)
    return [library, own]


def test_every_installed_file_has_its_hash_and_nothing_that_pip_writes_anew(wheels):
    listed = dict(line.split("  ")[::-1] for line in release.installed(wheels).splitlines())
    assert listed == {
        name: hashlib.sha256(content.encode()).hexdigest()
        for name, content in {
            "some_thing/__init__.py": "one",
            "extra.so": "two",
            "some_thing-1.0.dist-info/METADATA": METADATA,
            "edgederm-0.1.0.dist-info/METADATA": OWN,
        }.items()
    }


def test_the_bill_of_materials_names_every_part_with_hash_and_licence(wheels):
    about = {
        "name": "n", "commit": "c", "python": "3.13", "machine": "aarch64", "lock": "device-trixie"
    }  # fmt: skip
    bill = release.bill_of_materials(wheels, about, epoch=0)
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert bill["metadata"]["timestamp"] == "1970-01-01T00:00:00Z"
    (part,) = bill["components"]
    assert part == {
        "type": "library",
        "bom-ref": "pkg:pypi/some-thing@1.0",
        "purl": "pkg:pypi/some-thing@1.0",
        "name": "some-thing",
        "version": "1.0",
        "hashes": [
            {"alg": "SHA-256", "content": hashlib.sha256(wheels[0].read_bytes()).hexdigest()}
        ],
        "licenses": [{"expression": "MIT"}],
    }
    assert bill["metadata"]["component"]["licenses"] == [{"license": {"name": "Apache-2.0"}}]
    assert bill["dependencies"][0]["dependsOn"] == ["pkg:pypi/some-thing@1.0"]


def test_pip_is_told_of_each_wheel_and_its_one_hash(wheels):
    lines = release.requirements(wheels).splitlines()
    assert [line.split(" ")[0] for line in lines] == ["edgederm==0.1.0", "some_thing==1.0"]
    digest = hashlib.sha256(wheels[0].read_bytes()).hexdigest()
    assert lines[1] == f"some_thing==1.0 --hash=sha256:{digest}"


@pytest.mark.parametrize("lock", ["device-trixie", "device-bookworm", "device-jetson", "deploy"])
def test_a_lock_is_read_whole(lock):
    text = (ROOT / f"locks/{lock}.txt").read_text()
    entries = release.read_lock(text)
    assert len(entries) == text.count("==")
    assert all("--hash=sha256:" in entry for entry in entries.values())


def test_the_archive_is_the_same_whenever_it_is_written(tmp_path):
    contents = {"b": b"two", f"wheels/{'long' * 40}.whl": b"one"}
    first, second = tmp_path / "first.tar", tmp_path / "second.tar"
    release._write_archive(first, contents, epoch=1_700_000_000)
    release._write_archive(second, dict(reversed(contents.items())), epoch=1_700_000_000)
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git: sudo apt install git")
def test_a_commit_gives_the_same_wheel_twice(tmp_path, monkeypatch):
    """In two folders, under two umasks, and without what lies in the working tree."""
    made = []
    for name, umask in (("first", 0o022), ("second", 0o077)):
        program = (
            "import os, sys; sys.path.insert(0, 'deploy'); os.umask(int(sys.argv[2], 8)); "
            "import pathlib, release; print(release.build_wheel(pathlib.Path(sys.argv[1]), "
            "commit=release._git('rev-parse', 'HEAD'), epoch=1_700_000_000))"
        )
        answer = subprocess.run(
            [sys.executable, "-c", program, tmp_path / name, oct(umask)],
            cwd=ROOT, check=True, capture_output=True, text=True,
        )  # fmt: skip
        made.append(Path(answer.stdout.strip()))
    assert made[0] != made[1]
    assert made[0].read_bytes() == made[1].read_bytes()
    with zipfile.ZipFile(made[0]) as wheel:
        names = wheel.namelist()
    assert {"device/models/student.onnx", "device/api/page/index.html"} <= set(names)
    assert not [name for name in names if "__pycache__" in name or name.startswith("tests")]


class DownloadError(Exception):
    """What would be fetched is known."""


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git: sudo apt install git")
def test_what_is_fetched_is_what_the_commit_says_not_what_lies_about(tmp_path, monkeypatch):
    """A clone without any file of its own."""
    clone = tmp_path / "clone"
    subprocess.run(
        ["git", "clone", "--quiet", "--shared", "--no-checkout", ROOT, clone], check=True
    )
    fetched = {}

    def download(_, locked, **__):
        fetched.update(locked)
        raise DownloadError

    monkeypatch.setattr(release, "ROOT", clone)
    monkeypatch.setattr(release, "build_wheel", lambda *_, **__: tmp_path / "edgederm-1-x.whl")
    monkeypatch.setattr(release, "download", download)
    with pytest.raises(DownloadError):
        release.build(tmp_path, python="3.13", machine="aarch64", commit="HEAD")
    assert {"pip", "onnxruntime"} <= fetched.keys()


def test_every_unit_and_rule_is_part_of_a_release():
    here = {path.name for path in (ROOT / "systemd").iterdir() if path.is_file()}
    assert set(release._ON_THE_BOARD) == here - {"README.md", "watchdog.conf"}


def test_an_archive_holds_them_where_they_belong(wheels, tmp_path, monkeypatch):
    """And what a board checks them by."""
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
    monkeypatch.setattr(release, "ROOT", clone)
    monkeypatch.setattr(release, "build_wheel", lambda *_, **__: wheels[1])
    monkeypatch.setattr(release, "download", lambda *_, **__: wheels[:1])
    built = release.build(tmp_path, python="3.13", machine="aarch64", commit="HEAD")
    with tarfile.open(built["archive"]) as tar:
        held = {one.name: tar.extractfile(one).read() for one in tar.getmembers()}
    for line in held["board.sha256"].decode().splitlines():
        digest, _, place = line.partition("  ")
        assert hashlib.sha256(held.pop(place)).hexdigest() == digest
    assert not [name for name in held if name.startswith("board/")]


def test_an_archive_that_was_changed_where_it_lies_is_written_anew(tmp_path):
    archive = tmp_path / "one.tar"
    release._write_archive(archive, {"a": b"one"}, epoch=1)
    content, written = archive.read_bytes(), archive.stat().st_mtime_ns
    release._write_archive(archive, {"a": b"one"}, epoch=1)
    assert archive.stat().st_mtime_ns == written
    archive.write_bytes(content.replace(b"one", b"two"))
    release._write_archive(archive, {"a": b"one"}, epoch=1)
    assert archive.read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["one.tar"]


def test_a_commit_of_before_is_refused():
    with pytest.raises(SystemExit, match=r"has no systemd/no\.service"):
        release._unit("HEAD", "no.service")


def test_a_wheel_that_was_changed_where_it_is_kept_is_refused(tmp_path, monkeypatch):
    content = b"as it is in the lock"
    locked = {"one": f"one==1 --hash=sha256:{hashlib.sha256(content).hexdigest()}"}

    def fetch(command, **_):
        (Path(command[-1]) / "one-1-py3-none-any.whl").write_bytes(content)

    monkeypatch.setattr(release.subprocess, "run", fetch)
    (wheel,) = release.download(tmp_path, locked, python="3.13", machine="aarch64")
    assert release.download(tmp_path, locked, python="3.13", machine="aarch64") == [wheel]
    wheel.write_bytes(content + b", and more")
    with pytest.raises(SystemExit, match=f"{wheel} is not the lock's"):
        release.download(tmp_path, locked, python="3.13", machine="aarch64")


def test_what_is_left_out_must_be_in_the_lock(tmp_path, monkeypatch):
    monkeypatch.setattr(release, "build_wheel", lambda *_, **__: tmp_path / "edgederm-1-x.whl")
    with pytest.raises(SystemExit, match="no-such-library"):
        release.build(
            tmp_path,
            python="3.10",
            machine="aarch64",
            commit="HEAD",
            leave_out=frozenset({"no-such-library"}),
        )
