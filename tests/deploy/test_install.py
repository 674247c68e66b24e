"""A release's archive is looked at and unpacked, by Pythons with and without tarfile's filters."""

import fcntl
import importlib.util
import io
import os
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SPEC = importlib.util.spec_from_file_location(
    "install", ROOT / "deploy/ansible/roles/release/files/install.py"
)
install = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(install)


def archive(*members):
    """Return an open archive; a member is a name and what it is."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, kind in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.size = kind, "/etc/passwd", 4
            if kind != tarfile.REGTYPE:
                member.size = 0
            tar.addfile(member, io.BytesIO(b"text"))
    made.seek(0)
    return tarfile.open(fileobj=made)


@pytest.mark.parametrize("has_filters", [True, False])
@pytest.mark.filterwarnings("ignore:Python 3.14:DeprecationWarning")
def test_files_and_folders_are_unpacked(tmp_path, monkeypatch, has_filters):
    """Debian 12's Python has no filters."""
    if not has_filters:
        monkeypatch.delattr(tarfile, "data_filter", raising=False)
    with archive(("wheels", tarfile.DIRTYPE), ("wheels/one.whl", tarfile.REGTYPE)) as tar:
        install.unpack(tar, str(tmp_path))
    assert (tmp_path / "wheels/one.whl").read_text() == "text"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("../outside", tarfile.REGTYPE),
        ("/outside", tarfile.REGTYPE),
        ("link", tarfile.SYMTYPE),
        ("link", tarfile.LNKTYPE),
        ("device", tarfile.CHRTYPE),
    ],
)
def test_anything_else_is_refused_before_anything_is_written(tmp_path, name, kind):
    with (
        archive(("good", tarfile.REGTYPE), (name, kind)) as tar,
        pytest.raises(SystemExit, match="archive refused"),
    ):
        install.unpack(tar, str(tmp_path))
    assert list(tmp_path.iterdir()) == []


IMPORTED = ("device/cli.py", "onnxruntime/__init__.py", "onnxruntime/capi/state.py")
NOT_IMPORTED = ("numpy/_core/tests/test_numeric.py", "onnxruntime/transformers/models/convert.py")


@pytest.mark.parametrize("has_memory", [True, False])
def test_what_a_box_imports_is_compiled(tmp_path, has_memory):
    """Also on a board that cannot do it on all processors at once."""
    packages = tmp_path / "lib/python3/site-packages"
    for name in IMPORTED + NOT_IMPORTED:
        (packages / name).parent.mkdir(parents=True)
        (packages / name).write_text("a = 1\n")
    python = tmp_path / "bin/python"
    python.parent.mkdir()
    fails = "" if has_memory else 'case "$*" in *" -j "*) exit 1 ;; esac\n'
    python.write_text(f'#!/bin/sh\n{fails}exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    install.compile_all(tmp_path)
    compiled = {
        path.parents[1] / f"{path.name.split('.')[0]}.py" for path in packages.rglob("*.pyc")
    }
    assert compiled == {packages / name for name in IMPORTED}


CONTENTS = ("board.sha256", "installed.sha256", "requirements.txt", "sbom.cdx.json", "release.json")
USERS = "board/etc/sysusers.d/edgederm.conf"


class Users:
    """In place of what makes the board's users."""

    def __init__(self):
        self.made = []

    def __call__(self, command, **_):
        self.made.append(command)


@pytest.fixture
def opt(tmp_path, monkeypatch):
    """Where releases lie, with an archive beside them; an environment is a folder."""
    monkeypatch.setattr(install, "RELEASES", tmp_path / "releases")
    monkeypatch.setattr(install, "install", lambda folder, _: folder.mkdir())
    monkeypatch.setattr(install.subprocess, "run", Users())
    (tmp_path / "releases").mkdir()
    with archive(*((name, tarfile.REGTYPE) for name in (*CONTENTS, USERS))) as tar:
        (tmp_path / "arriving.tar").write_bytes(tar.fileobj.getvalue())
    return tmp_path


@pytest.mark.filterwarnings("ignore:Python 3.14:DeprecationWarning")
def test_what_a_power_cut_left_of_an_installation_is_removed_by_the_next(opt, capsys):
    (opt / ".installing/wheels").mkdir(parents=True)
    (opt / ".installing/wheels/one.whl").write_text("half of it")
    (opt / "releases/1.0").mkdir()
    (opt / "releases/1.0/half").touch()
    assert install.main([str(opt / "arriving.tar"), "1.0"]) == 0
    assert sorted(path.name for path in opt.iterdir()) == ["arriving.tar", "releases"]
    folder = opt / "releases/1.0"
    assert sorted(path.name for path in folder.iterdir()) == sorted((*CONTENTS, "board"))
    assert install.subprocess.run.made == [["systemd-sysusers", folder / USERS]]
    assert install.main([str(opt / "arriving.tar"), "1.0"]) == 0
    assert capsys.readouterr().out == "installed\nunchanged\n"


@pytest.mark.filterwarnings("ignore:Python 3.14:DeprecationWarning")
def test_an_installation_that_fails_leaves_nothing_beside_the_releases(opt, monkeypatch):
    monkeypatch.setattr(install, "install", lambda *_: pytest.fail("no room"))
    with pytest.raises(pytest.fail.Exception):
        install.main([str(opt / "arriving.tar"), "1.0"])
    assert sorted(path.name for path in opt.iterdir()) == ["arriving.tar", "releases"]


def test_two_installations_at_once_are_refused(opt):
    held = os.open(opt / "releases", os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(SystemExit, match="under way"):
            install.main([str(opt / "arriving.tar"), "1.0"])
    finally:
        os.close(held)
