"""Show a file of 640x480 YUYV at a v4l2loopback device, ten times a second, read each time."""

import fcntl
import os
import struct
import sys
import time

WIDTH, HEIGHT = 640, 480
VIDIOC_S_FMT = 0xC0D05605
OUTPUT, NO_FIELD, SRGB = 2, 1, 8
YUYV = int.from_bytes(b"YUYV", "little")


def main(device, path):
    """Run until stopped."""
    while not os.path.exists(path):  # noqa: PTH110 - the board's Python, and nothing else
        time.sleep(0.5)
    handle = os.open(device, os.O_RDWR)
    fields = (WIDTH, HEIGHT, YUYV, NO_FIELD, 2 * WIDTH, 2 * WIDTH * HEIGHT, SRGB)
    description = bytearray(struct.pack("=I4x7I", OUTPUT, *fields).ljust(208, b"\0"))
    fcntl.ioctl(handle, VIDIOC_S_FMT, description)
    while True:
        with open(path, "rb") as file:  # noqa: PTH123 - the same
            os.write(handle, file.read())
        time.sleep(0.1)


if __name__ == "__main__":
    main(*sys.argv[1:])
