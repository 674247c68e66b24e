"""A raw file."""


class PICAM2DNG:
    """Never made."""
