"""The camera of a raw file."""


class Picamera2Camera:
    """Never made."""
