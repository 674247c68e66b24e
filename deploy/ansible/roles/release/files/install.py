#!/usr/bin/python3
"""
Install a release from its archive, offline and by hashes, into a folder of its own.

    edgederm-install ARCHIVE NAME

The folder is complete when ``release.json`` is there, which is written last; whatever an earlier
attempt left, also one that the power ended, is removed.  Needs the system's Python and nothing
else, not even pip: the archive brings it.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

RELEASES = Path("/opt/edgederm/releases")
NOT_COMPILED = r"/tests/|/onnxruntime/(?!capi/)\w+/"
"""A third of what the wheels bring as Python, and nothing that a box imports."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Install, or say that it is there."""
    parser = argparse.ArgumentParser(description="Install a release from its archive.")
    parser.add_argument("archive", type=Path)
    parser.add_argument("name")
    options = parser.parse_args(arguments)
    lock = os.open(RELEASES, os.O_RDONLY)
    try:
        # The one of edgederm-activate, which removes what is not complete.
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return bring(options.archive, RELEASES / options.name)
    except BlockingIOError:
        raise SystemExit("another installation or activation is under way") from None
    finally:
        os.close(lock)


def bring(archive: Path, folder: Path) -> int:
    """Install an archive into *folder*, unless it is there and complete."""
    if (folder / "release.json").exists():
        print("unchanged")
        return 0
    shutil.rmtree(folder, ignore_errors=True)
    os.umask(0o022)
    # Of one name, so that the next attempt finds what this one leaves when the power goes.
    work = RELEASES.parent / ".installing"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(mode=0o700)
    try:
        with tarfile.open(archive) as tar:
            unpack(tar, str(work))
        install(folder, work)
        shutil.copytree(work / "board", folder / "board")
        # Before the switch already: some of what a deployment brings is for this user.
        users = folder / "board/etc/sysusers.d/edgederm.conf"
        subprocess.run(["systemd-sysusers", users], check=True)
        for name in ("board.sha256", "installed.sha256", "requirements.txt", "sbom.cdx.json"):
            shutil.copyfile(work / name, folder / name)
        # What says that all is there must not be on the card before the rest is.
        os.sync()
        unfinished = shutil.copyfile(work / "release.json", folder / ".release.json.unfinished")
        os.sync()
        unfinished.replace(folder / "release.json")
    finally:
        shutil.rmtree(work)
    os.sync()
    print("installed")
    return 0


def unpack(tar: tarfile.TarFile, into: str) -> None:
    """
    Unpack plain files and folders, none of them outside of *into*.

    Debian 12's Python knows nothing of tarfile's filters, so they are looked at here.

    Raises:
        SystemExit: There is anything else in it; nothing was unpacked.
    """
    for member in tar.getmembers():
        parts = Path(member.name).parts
        if not (member.isfile() or member.isdir()) or ".." in parts or member.name.startswith("/"):
            raise SystemExit(f"archive refused: expected plain files, found {member.name!r}")
    filters = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
    tar.extractall(into, **filters)  # noqa: S202 - looked at above


def install(folder: Path, unpacked: Path) -> None:
    """Make the environment in its final place: its scripts hold the path."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (pip,) = (unpacked / "wheels").glob("pip-*.whl")
    subprocess.run(
        [
            folder / "bin/python", "-I", f"{pip}/pip", "install", "--quiet", "--no-index",
            "--find-links", unpacked / "wheels", "--require-hashes", "--no-deps",
            "--ignore-installed", "--no-cache-dir", "--no-compile", "--requirement",
            unpacked / "requirements.txt",
        ],
        check=True,
    )  # fmt: skip
    compile_all(folder)


def compile_all(folder: Path) -> None:
    """Compile what a box imports, on all processors, as pip does not; later it may not write."""
    command = [
        folder / "bin/python", "-I", "-m", "compileall", "-qq", "-x", NOT_COMPILED, folder / "lib",
    ]  # fmt: skip
    if subprocess.run([*command, "-j", "0"], check=False).returncode:
        # A small board may have no memory for so many processes.  What one cannot compile either
        # says so when it is imported.
        subprocess.run(command, check=False)


if __name__ == "__main__":
    sys.exit(main())
