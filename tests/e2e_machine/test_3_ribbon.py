"""
A camera behind libcamera, and the real picamera2, inside the walled service.

The kernel's virtual camera shows a pattern of its own, never a photograph, and has no controls:
this is the way from the playbook to a frame.  Nothing here stands in for a sensor.
"""

import json
import os
from pathlib import Path

from tests.e2e.board import PATIENCE, wait_for

CAMERA = {"kind": "libcamera", "width_px": 640, "height_px": 480, "timeout_s": 5 * PATIENCE}
IN_ENVIRONMENT = "/opt/edgederm/current/bin/python"
# What is known of a picture, and the colours of its eight bars, from the left.
LOOK = """
import cv2, json
picture = cv2.cvtColor(cv2.imread("/root/pattern.png"), cv2.COLOR_BGR2RGB)
height, width = picture.shape[:2]
bars = [picture[height // 2, width * (2 * bar + 1) // 16].tolist() for bar in range(8)]
about = json.load(open("/root/pattern.png.json"))
print(json.dumps({"source": about["source"], "shape": picture.shape, "bars": bars}))
"""
YELLOW, CYAN, RED, BLUE = (1, 1, 0), (0, 1, 1), (1, 0, 0), (0, 0, 1)


def answers_from_its_camera(board, token):
    """Whether a picture of the ribbon's camera is answered."""
    status, body = board.ask("/classify", token=token)
    return status == 200 and body["source"] == "libcamera"


def test_a_camera_on_a_ribbon_answers_from_inside_the_walls(board, deployment, times):
    package = Path(os.environ["EDGEDERM_E2E_PICAMERA2"])
    board.put_bytes(package.read_bytes(), "/root/python3-picamera2.deb")
    # apt would find no network: that it is not asked is part of what is shown.
    board.root("dpkg -i /root/python3-picamera2.deb")
    # The other half tests it.  Here systemd reads its units anew many times, which a slow emulation
    # may let last so long that it would be taken for hung.
    deployment.variables["appliance_hardware_watchdog"] = False
    times["deployment with picamera2"], counts = deployment.bring(camera=CAMERA)
    assert counts["failed"] == counts["unreachable"] == 0
    wait_for(lambda: answers_from_its_camera(board, deployment.token), 30)
    assert "char-dma_heap" in board.root("systemctl show -p DeviceAllow --value edgederm")
    version = "from importlib.metadata import version; print(version('picamera2'))"
    times["picamera2"] = board.root(f'{IN_ENVIRONMENT} -c "{version}"').strip()


def test_the_frame_is_the_kernels_own_pattern(board):
    """Its colours too: red and blue exchanged would show here."""
    board.put_bytes(LOOK.encode(), "/root/look.py")
    board.root("systemctl stop edgederm")
    try:
        board.root(
            f"{IN_ENVIRONMENT} -m device capture --settings /etc/edgederm/edgederm.toml "
            "/root/pattern.png"
        )
    finally:
        board.root("systemctl start edgederm")
    seen = json.loads(board.root(f"{IN_ENVIRONMENT} /root/look.py"))
    assert (seen["source"], seen["shape"]) == ("libcamera", [480, 640, 3])
    bars = [tuple(int(level > 100) for level in bar) for bar in seen["bars"]]
    assert (bars[1], bars[2], bars[5], bars[6]) == (YELLOW, CYAN, RED, BLUE), seen


def test_without_its_drop_in_the_walls_keep_the_camera_away(board, token):
    """The control of the drop-in, broken on purpose."""
    drop_in = "/etc/systemd/system/edgederm.service.d/box.conf"
    restart = "systemctl daemon-reload; systemctl restart edgederm"
    wait_for(lambda: answers_from_its_camera(board, token), 30)
    board.root(f"cp {drop_in} /root/; sed -i '/dma_heap/d; /AF_NETLINK/d' {drop_in}; {restart}")
    try:
        status, body = board.ask("/classify", token=token)
        assert status == 503, body
    finally:
        board.root(f"mv /root/box.conf {drop_in}; {restart}")
    wait_for(lambda: answers_from_its_camera(board, token), 30)
