"""A release's archive is unpacked by Pythons with and without tarfile's filters, and looked at."""

import importlib.util
import io
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
