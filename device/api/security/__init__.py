"""Who may ask, from where, how often, and what every answer tells a browser."""

from device.api.security.guard import Guard
from device.api.security.rules import Rules

__all__ = ["Guard", "Rules"]
