"""Pictures from files come in order, unchanged, and again from the start."""

from pathlib import Path

import pytest

from device.camera.replay import ReplayCamera
from device.core.errors import CameraError

pytestmark = pytest.mark.portable


def test_a_folder_is_shown_by_name_over_and_over(folder):
    """Whatever the case of the suffix; other files and folders are passed over."""
    with ReplayCamera(folder) as camera:
        captures = [camera.capture(1.0) for _ in range(3)]
    assert [capture.name for capture in captures] == ["a.jpg", "b.PNG", "a.jpg"]
    assert [capture.encoded for capture in captures] == [b"first", b"second", b"first"]


def test_opened_again_it_lists_anew_and_begins_with_the_first(folder):
    camera = ReplayCamera(folder)
    with camera:
        camera.capture(1.0)
        (folder / "0.jpeg").write_bytes(b"new")
        assert camera.capture(1.0).name == "b.PNG"
    with camera:
        assert camera.capture(1.0).name == "0.jpeg"


def test_one_file_of_any_name_is_shown_for_ever(folder):
    with ReplayCamera(folder / "README.md") as camera:
        assert {camera.capture(1.0).name for _ in range(3)} == {"README.md"}


def test_a_folder_without_pictures_is_refused(tmp_path):
    with pytest.raises(
        CameraError,
        match=r"expected at least one .jpeg, .jpg, .png file, found none; .*camera.path",
    ) as caught:
        ReplayCamera(tmp_path).__enter__()
    assert str(tmp_path) in str(caught.value)


def test_what_is_neither_file_nor_folder_is_refused():
    """A device would never come to its end."""
    with pytest.raises(CameraError, match="found none"):
        ReplayCamera(Path("/dev/null")).__enter__()


def test_a_removed_picture_is_named_and_the_next_one_is_shown(folder):
    with ReplayCamera(folder) as camera:
        (folder / "a.jpg").unlink()
        with pytest.raises(CameraError, match=r"a\.jpg: No such file or directory; put the file"):
            camera.capture(1.0)
        assert camera.capture(1.0).name == "b.PNG"
