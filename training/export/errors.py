"""Errors of the export; after one of them no file has been written."""

from __future__ import annotations


class ExportError(Exception):
    """The network cannot become a model file, or the file would not say what the network says."""
