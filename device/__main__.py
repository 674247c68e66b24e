"""``python -m device``: hand over to the command line."""

import sys

from device.cli import main

if __name__ == "__main__":
    sys.exit(main())
