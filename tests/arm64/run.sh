#!/usr/bin/env bash
# The device on Arm without a board: its portable tests and its answers under QEMU's user emulation,
# with the wheels that the playbook would install on a Raspberry Pi.
# Usage: tests/arm64/run.sh PYTHON DEPLOY_PYTHON
#
# Nothing is mounted, registered or installed on this machine; root is not needed.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=$(realpath -s "$1") deploy_python=$(realpath -s "$2")

if ! command -v mmdebstrap >/dev/null; then
    echo "make e2e-arm64 needs mmdebstrap, which is missing; say:  sudo apt install mmdebstrap" >&2
    exit 2
fi

# ---- what is kept between runs: an Arm Debian, only unpacked, and its release's own emulator
cache=${XDG_CACHE_HOME:-$HOME/.cache}/edgederm/arm64
include=python3,libstdc++6,ca-certificates
root=$cache/trixie-$(echo "$include" | sha256sum | cut -c1-12)
work=
trap '[ -z "$work" ] || rm -rf --one-file-system "$work"' EXIT
if [ ! -d "$root" ]; then
    mkdir -p "$cache"
    work=$(mktemp -d "$cache/unfinished.XXXXXX")
    # "extract" runs no program of the packages, so that a foreign machine's are no trouble.
    mmdebstrap --quiet --variant=extract --architectures=arm64 --include="$include" \
        trixie "$work/arm64.tar"
    # Debian 12's emulator crashes in ONNX Runtime; trixie's is one static file.
    mmdebstrap --quiet --variant=extract --include=qemu-user trixie "$work/qemu.tar"
    mkdir "$work/root"
    tar -C "$work/root" -xf "$work/arm64.tar" --exclude='./dev/*' --no-same-owner
    # A link that an installation would make.
    [ -e "$work/root/lib" ] || ln -s usr/lib "$work/root/lib"
    tar -C "$work" -xf "$work/qemu.tar" --no-same-owner ./usr/bin/qemu-aarch64
    mv "$work/usr/bin/qemu-aarch64" "$work/root/qemu-aarch64"
    mv "$work/root" "$root"
fi

PYTHONPATH=. "$python" tests/arm64/check.py --root "$root" --deploy-python "$deploy_python"
