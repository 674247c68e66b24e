"""
Run a verb of the box, and stand still before one step of writing a file that must last.

Usage: stepping.py STEP VERB [arguments].  Says "step STEP NAME" when it stands, so that somebody
can cut the power, and at the end how many steps there were.
"""

import os
import sys
import time

from device.cli import main
from device.updates import durable

STEPS = frozenset({"open", "write", "fsync", "replace", "unlink"})


class Stepping:
    """Stands in for the module ``os`` where files are made to last."""

    def __init__(self, last):
        self.done = 0
        self._last = last

    def __getattr__(self, name):
        function = getattr(os, name)
        return self._counted(name, function) if name in STEPS else function

    def _counted(self, name, function):
        def step(*arguments, **options):
            if self.done == self._last:
                print(f"step {self.done} {name}", flush=True)
                time.sleep(3600)
            self.done += 1
            return function(*arguments, **options)

        return step


durable.os = stepping = Stepping(int(sys.argv[1]))
status = main(sys.argv[2:])
print(f"done {stepping.done}", flush=True)
sys.exit(status)
