"""
Build a release: all that a board needs, in one file, so that it is installed without a network.

    python deploy/release.py --python 3.13 --machine aarch64 --into var/releases

The file is a tar archive with the wheels of the board's lock and of this repository's commit, their
hashes (``requirements.txt``), the hash of every file that will be installed (``installed.sha256``),
units and rules where they belong on the board (``board``, ``board.sha256``), a bill of materials
(``sbom.cdx.json``, CycloneDX 1.6) and ``release.json``.  The same commit gives the same bytes.
What was fetched before is not fetched again; the last line printed is JSON.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from email.parser import HeaderParser
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

ROOT = Path(__file__).resolve().parents[1]
LOCKS = {"3.10": "jetson", "3.11": "bookworm", "3.12": "trixie", "3.13": "trixie"}
"""Which device lock a board's Python takes; docs/dependencies.md."""
MACHINES = ("aarch64", "x86_64")
# The newest C library first; Debian 12 has 2.36, JetPack 6 has 2.35.
_PLATFORMS = ("manylinux_2_35", "manylinux_2_34", "manylinux_2_31", "manylinux_2_28")
_OLDER_PLATFORMS = ("manylinux_2_27", "manylinux_2_24", "manylinux_2_17", "manylinux2014")
_SOURCES = ("LICENSE", "README.md", "bench", "device", "pyproject.toml", "training")
"""What the wheel is made of."""
_ON_THE_BOARD = {
    "70-edgederm.rules": "etc/udev/rules.d/70-edgederm.rules",
    "edgederm-firewall.service": "etc/systemd/system/edgederm-firewall.service",
    "edgederm-settle.service": "etc/systemd/system/edgederm-settle.service",
    "edgederm.service": "etc/systemd/system/edgederm.service",
    "firewall.nft": "etc/edgederm/firewall.nft",
    "sysusers.conf": "etc/sysusers.d/edgederm.conf",
    "tmpfiles.conf": "etc/tmpfiles.d/edgederm.conf",
}
"""What of ``systemd`` belongs where; it comes into force and goes with its release."""
_DIGEST_LENGTH = 12


def main(arguments: Sequence[str] | None = None) -> int:
    """Build, and print where the release is and what it is called."""
    parser = argparse.ArgumentParser(description="Build a release for a board.")
    parser.add_argument("--python", required=True, choices=sorted(LOCKS), help="the board's")
    parser.add_argument("--machine", required=True, choices=MACHINES, help="the board's")
    parser.add_argument("--into", required=True, type=Path, metavar="FOLDER")
    parser.add_argument("--commit", default="HEAD", help="what is released; HEAD if not said")
    parser.add_argument(
        "--leave-out", action="append", default=[], metavar="NAME",
        help="a library that the board's own system brings",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    options.into.mkdir(parents=True, exist_ok=True)
    built = build(
        options.into,
        python=options.python,
        machine=options.machine,
        commit=options.commit,
        leave_out=frozenset(options.leave_out),
    )
    print(json.dumps(built))
    return 0


def build(
    into: Path, *, python: str, machine: str, commit: str, leave_out: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """
    Put a release into a folder; returns what ``release.json`` says, ``archive`` and ``is_new``.

    Args:
        into: Keeps what was downloaded as well.
        python: Of the board, such as ``3.13``.
        machine: Of the board, as ``uname -m`` says.
        commit: Anything that git understands.
        leave_out: Libraries that the board's own system brings.
    """
    commit = _git("rev-parse", "--verify", f"{commit}^{{commit}}")
    epoch = int(_git("show", "--no-patch", "--format=%ct", commit))
    own = build_wheel(into / "wheels", commit=commit, epoch=epoch)
    lock = LOCKS[python]
    locked = read_lock(_git("show", f"{commit}:locks/device-{lock}.txt"))
    for name in leave_out:
        if name not in locked:
            raise SystemExit(f"release: {name} is not in device-{lock}.txt and cannot be left out")
        del locked[name]
    tools = read_lock(_git("show", f"{commit}:locks/deploy.txt"))
    wheels = download(
        into / "downloads", {**locked, "pip": tools["pip"]}, python=python, machine=machine
    )
    libraries = [wheel for wheel in wheels if not wheel.name.startswith("pip-")]
    contents = {f"wheels/{wheel.name}": wheel.read_bytes() for wheel in sorted([*wheels, own])}
    contents["requirements.txt"] = requirements([own, *libraries]).encode()
    contents["installed.sha256"] = installed([own, *libraries]).encode()
    board = {f"board/{place}": _unit(commit, name) for name, place in _ON_THE_BOARD.items()}
    listed = [f"{_sha256(content)}  {place}\n" for place, content in sorted(board.items())]
    contents |= {**board, "board.sha256": "".join(listed).encode()}
    digest = hashlib.sha256()
    for name, content in sorted(contents.items()):
        digest.update(f"{name} {hashlib.sha256(content).hexdigest()}\n".encode())
    version = own.name.split("-")[1]
    about = {
        "name": f"{version}-{digest.hexdigest()[:_DIGEST_LENGTH]}",
        "version": version,
        "commit": commit,
        "python": python,
        "machine": machine,
        "lock": f"device-{lock}",
        "left_out": sorted(leave_out),
        "wheel_sha256": _sha256(own.read_bytes()),
    }
    contents["sbom.cdx.json"] = _json(bill_of_materials([own, *libraries], about, epoch=epoch))
    contents["release.json"] = _json(about)
    archive = into / f"edgederm-{about['name']}-py{python}-{machine}.tar"
    is_new = not archive.exists()
    # Also where there is one: it may have been changed where it lies.
    _write_archive(archive, contents, epoch=epoch)
    return {**about, "archive": str(archive.resolve()), "is_new": is_new}


def build_wheel(into: Path, *, commit: str, epoch: int) -> Path:
    """
    Build the wheel of a commit, from what git has of it and nothing that lies about.

    The time of the commit stands in for the clock and the umask is fixed, so that whoever builds it
    gets the same bytes.
    """
    folder = into / commit
    if found := sorted(folder.glob("*.whl")):
        return found[0]
    with tempfile.TemporaryDirectory() as work:
        source = Path(work) / "source"
        source.mkdir()
        archive = subprocess.run(
            ["git", "-C", ROOT, "archive", commit, *_SOURCES], check=True, stdout=subprocess.PIPE
        )
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
            # git's own; Debian 12's Python has no filters.
            filters = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
            tar.extractall(source, **filters)  # noqa: S202 - of our own repository
        made = Path(work) / "made"
        subprocess.run(
            [
                *_pip(), "wheel", "--no-deps", "--no-build-isolation", "--no-index", "--quiet",
                "--wheel-dir", made, source,
            ],
            check=True,
            stdout=sys.stderr,
            umask=0o022,
            env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch), "PYTHONHASHSEED": "0"},
        )  # fmt: skip
        (wheel,) = made.glob("*.whl")
        folder.mkdir(parents=True, exist_ok=True)
        return _put(folder / wheel.name, wheel.read_bytes())


def _unit(commit: str, name: str) -> bytes:
    try:
        return f"{_git('show', f'{commit}:systemd/{name}')}\n".encode()
    except subprocess.CalledProcessError:
        raise SystemExit(
            f"release: {commit} has no systemd/{name}, of before units were part of a release; "
            "release a newer commit"
        ) from None


def read_lock(text: str) -> dict[str, str]:
    """Return the entries of a lock by name, each with its version and hashes."""
    lines = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#"))
    entries = (entry.strip() for entry in re.split(r"\n(?=\S)", lines.strip()))
    return {entry.split("==")[0]: entry for entry in entries}


def download(into: Path, locked: dict[str, str], *, python: str, machine: str) -> list[Path]:
    """
    Fetch the wheels of some entries of a lock for another Python and machine; once.

    Raises:
        SystemExit: A wheel that was fetched earlier is not the lock's any more.
    """
    text = "\n".join(locked.values()) + "\n"
    folder = into / f"{_sha256(text.encode())[:_DIGEST_LENGTH]}-py{python}-{machine}"
    complete = folder / ".complete"
    if not complete.exists():
        folder.mkdir(parents=True, exist_ok=True)
        wanted = folder / "requirements.txt"
        wanted.write_text(text, encoding="utf-8")
        print(f"downloading {len(locked)} wheels into {folder}", file=sys.stderr)
        platforms = [f"{one}_{machine}" for one in (*_PLATFORMS, *_OLDER_PLATFORMS)]
        subprocess.run(
            [
                *_pip(), "download", "--quiet", "--require-hashes", "--only-binary", ":all:",
                "--no-deps", "--implementation", "cp", "--python-version", python,
                *(f"--platform={one}" for one in platforms), "--requirement", wanted,
                "--dest", folder,
            ],
            check=True,
            stdout=sys.stderr,
        )  # fmt: skip
        complete.touch()
    wheels = sorted(folder.glob("*.whl"))
    for wheel in wheels:
        # pip held against the lock what came; what lay here since may have been changed.
        if f"sha256:{_sha256(wheel.read_bytes())}" not in text:
            raise SystemExit(f"release: {wheel} is not the lock's; remove its folder and try again")
    return wheels


def requirements(wheels: Iterable[Path]) -> str:
    """Name every wheel with its version and its one hash, as pip reads it."""
    lines = []
    for wheel in sorted(wheels):
        name, version = wheel.name.split("-")[:2]
        lines.append(f"{name}=={version} --hash=sha256:{_sha256(wheel.read_bytes())}\n")
    return "".join(lines)


def installed(wheels: Iterable[Path]) -> str:
    """
    List every file that the wheels bring, with its hash, in the form of ``sha256sum``.

    Taken from the wheels and not from a board, where whoever changed a file could change the list
    of them as well.  Paths count from ``site-packages``; scripts, which pip writes anew, are left
    out, and so is ``RECORD``.
    """
    lines = []
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as content:
            for name in content.namelist():
                path = re.sub(r"^[^/]+\.data/(?:purelib|platlib)/", "", name)
                is_elsewhere = re.match(r"[^/]+\.data/", path) is not None
                if not (name.endswith(("/", ".dist-info/RECORD")) or is_elsewhere):
                    lines.append(f"{_sha256(content.read(name))}  {path}\n")
    return "".join(sorted(lines, key=lambda line: line[66:]))


def bill_of_materials(
    wheels: Iterable[Path], about: dict[str, Any], *, epoch: int
) -> dict[str, Any]:
    """Say what the release is made of, as CycloneDX 1.6."""
    parts = [_component(wheel) for wheel in sorted(wheels)]
    own = next(part for part in parts if part["name"] == "edgederm")
    serial = uuid5(NAMESPACE_URL, f"edgederm:{about['name']}:{about['python']}:{about['machine']}")
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {
            "timestamp": _timestamp(epoch),
            "component": {**own, "type": "application"},
            "properties": [
                {"name": f"edgederm:{key}", "value": str(about[key])}
                for key in ("commit", "lock", "machine", "python")
            ],
        },
        "components": [part for part in parts if part is not own],
        "dependencies": [
            {
                "ref": own["bom-ref"],
                "dependsOn": [part["bom-ref"] for part in parts if part is not own],
            }
        ],
    }


def _component(wheel: Path) -> dict[str, Any]:
    with zipfile.ZipFile(wheel) as content:
        (name,) = [
            one for one in content.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", one)
        ]
        headers = HeaderParser().parsestr(content.read(name).decode("utf-8", "replace"))
    package = headers["Name"].lower().replace("_", "-")
    purl = f"pkg:pypi/{package}@{headers['Version']}"
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": purl,
        "name": package,
        "version": headers["Version"],
        "purl": purl,
        "hashes": [{"alg": "SHA-256", "content": _sha256(wheel.read_bytes())}],
    }
    if expression := headers.get("License-Expression"):
        component["licenses"] = [{"expression": expression}]
    elif named := _license_name(headers.get_all("Classifier", []), headers.get("License")):
        component["licenses"] = [{"license": {"name": named}}]
    return component


def _license_name(classifiers: list[str], license_line: str | None) -> str | None:
    """Name a licence as an older wheel does: by classifier, else by the first line of its text."""
    for classifier in classifiers:
        if classifier.startswith("License :: "):
            return classifier.rpartition(" :: ")[2]
    return license_line.strip().splitlines()[0] if license_line and license_line.strip() else None


def _write_archive(archive: Path, contents: dict[str, bytes], *, epoch: int) -> None:
    """Write everything in its order, with one time and one owner: the same bytes each time."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, content in sorted(contents.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime, entry.mode = len(content), epoch, 0o644
            tar.addfile(entry, io.BytesIO(content))
    if not archive.exists() or archive.read_bytes() != made.getbuffer():
        _put(archive, made.getvalue())


def _put(path: Path, content: bytes) -> Path:
    """Write a file whole or not at all, also where another run writes the same one."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.unfinished")
    unfinished.write_bytes(content)
    return unfinished.replace(path)


def _timestamp(epoch: int) -> str:
    from datetime import datetime, timezone

    return datetime.fromtimestamp(epoch, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _json(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True) + "\n").encode()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _pip() -> list[str]:
    return [sys.executable, "-m", "pip", "--disable-pip-version-check"]


def _git(*arguments: str) -> str:
    answer = subprocess.run(
        ["git", "-C", ROOT, *arguments], check=True, stdout=subprocess.PIPE, text=True
    )
    return answer.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
