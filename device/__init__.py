"""
EdgeDerm on the board: from a camera frame to an answer, without torch and without a network.

Importing the package sets three variables in this process's environment, and nothing else.
OpenCV and ONNX Runtime read them while they are loaded and never again, so the one place that
surely runs before every ``import cv2`` and ``import onnxruntime`` of ours is this file.  What the
owner of the box has set already stays as it is.
"""

import os

# The most pixels that OpenCV decodes: a second fence right behind the largest
# ``picture.max_pixels`` (200 million), which is checked in the file's header first.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", "201000000")
# Whole seconds after which a read from a stalled USB camera gives up; otherwise ten.
os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "5")
# The box tells nobody anything.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"
"""The same as in pyproject.toml."""
