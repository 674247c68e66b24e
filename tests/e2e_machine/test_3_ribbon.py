"""
A camera behind libcamera, and the real picamera2, inside the walled service.

The kernel's virtual camera shows a pattern of its own, never a photograph, and has no controls:
this is the way from the playbook to a frame.  Nothing here stands in for a sensor.
"""

import copy
import os
from pathlib import Path

from tests.e2e_machine.deployment import SETTINGS

CAMERA = {"kind": "libcamera", "width_px": 640, "height_px": 480}
# How far its pixels are from all being alike, in levels.
SPREAD = (
    "import cv2; picture = cv2.imread('/root/pattern.png'); print(picture.shape, picture.std())"
)
IN_ENVIRONMENT = "/opt/edgederm/current/bin/python"


def test_a_camera_on_a_ribbon_answers_from_inside_the_walls(board, deployment, token, times):
    package = Path(os.environ["EDGEDERM_E2E_PICAMERA2"])
    board.put_bytes(package.read_bytes(), "/root/python3-picamera2.deb")
    board.root("dpkg -i /root/python3-picamera2.deb; touch /var/lib/apt/lists")
    settings = {**copy.deepcopy(SETTINGS), "camera": CAMERA}
    inventory = board.inventory({**deployment.variables, "appliance_settings": settings})
    _, counts = board.play("deploy", inventory)
    assert counts["failed"] == counts["unreachable"] == 0
    status, body = board.ask("/classify", token=token)
    assert (status, body["source"]) == (200, "libcamera"), body
    assert "char-dma_heap" in board.root("systemctl show -p DeviceAllow --value edgederm")
    version = "from importlib.metadata import version; print(version('picamera2'))"
    times["picamera2"] = board.root(f'{IN_ENVIRONMENT} -c "{version}"').strip()


def test_the_frame_is_the_kernels_own_pattern(board):
    """A control: a black frame would be answered too, by retake."""
    taken = board.root(
        "systemctl stop edgederm; "
        f"{IN_ENVIRONMENT} -m device capture --settings /etc/edgederm/edgederm.toml "
        f'/root/pattern.png >&2; systemctl start edgederm; {IN_ENVIRONMENT} -c "{SPREAD}"'
    )
    shape, spread = taken.rsplit(maxsplit=1)
    assert shape == "(480, 640, 3)"
    assert float(spread) > 20


def test_without_its_drop_in_the_walls_keep_the_camera_away(board, token):
    """The control of the drop-in, broken on purpose."""
    drop_in = "/etc/systemd/system/edgederm.service.d/libcamera.conf"
    restart = "systemctl daemon-reload; systemctl restart edgederm"
    board.root(f"mv {drop_in} /root/; {restart}")
    try:
        status, body = board.ask("/classify", token=token)
        assert status == 503, body
    finally:
        board.root(f"mv /root/libcamera.conf {drop_in}; {restart}")
    assert board.answers(token)
