"""The REST interface: an appliance as HTTP routes, every error as a problem document."""

from device.api.application import build_application

__all__ = ["build_application"]
