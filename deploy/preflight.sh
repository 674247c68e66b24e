#!/usr/bin/env bash
# Say what this machine lacks, with the line that brings it, before anything is installed.
# Usage: deploy/preflight.sh PYTHON MINIMUM      (for example: python3 3.11)
set -eu
python=$1 minimum=$2
newest=3.13 # The locks hold wheels up to this one.

refuse() {
    printf 'edgederm: %s\n' "$@" >&2
    exit 1
}

command -v "$python" >/dev/null ||
    refuse "$python was not found." "Install it:  sudo apt install python3 python3-venv"

version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
"$python" -c "import sys; sys.exit(sys.version_info[:2] < tuple(map(int, '$minimum'.split('.'))))" ||
    refuse "this needs Python $minimum or newer, and $python is $version." \
        "Name a newer one:  make ... PYTHON=/path/to/python$minimum"

"$python" -c "import sys; sys.exit(sys.version_info[:2] > tuple(map(int, '$newest'.split('.'))))" ||
    refuse "this has locked libraries for Python $minimum to $newest, and $python is $version." \
        "Name an older one:  make ... PYTHON=/path/to/python$newest"

"$python" -c 'import ensurepip, venv' 2>/dev/null ||
    refuse "$python $version cannot make virtual environments (module venv or ensurepip is missing)." \
        "Install it:  sudo apt install python3-venv"
