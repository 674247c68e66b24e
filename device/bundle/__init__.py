"""A model on its way to a box: one signed file, read only after its signature was checked."""

from device.bundle.bundle import Bundle, BundleManifest, Goldens, open_bundle, pack
from device.bundle.trust import Trust
from device.bundle.version import parse_version

__all__ = [
    "Bundle",
    "BundleManifest",
    "Goldens",
    "Trust",
    "open_bundle",
    "pack",
    "parse_version",
]
