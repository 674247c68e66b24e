"""``python -m training``: hand over to the command line."""

import sys

from training.cli import main

if __name__ == "__main__":
    sys.exit(main())
