"""So that picamera2 can be imported: screens, which a box has none of, are not in Debian."""


class _Formats(type):
    def __getattr__(cls, name):
        return name


class PixelFormat(metaclass=_Formats):
    """Every format that is asked for."""
