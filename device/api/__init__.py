"""The REST interface: an appliance as HTTP routes, every error as a problem document."""

from device.api.application import build_application
from device.api.security import Rules

__all__ = ["Rules", "build_application"]
