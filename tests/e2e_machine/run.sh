#!/usr/bin/env bash
# The machine tier: a board with a kernel, lines, cameras and a disk of its own, in QEMU.
# Usage: tests/e2e_machine/run.sh PYTHON DEPLOY_PYTHON COMMAND [arguments]
#
# COMMAND is run by PYTHON in namespaces of its own for processes, mounts and network: when this ends,
# also killed, nothing of it is left running or mounted, and no address of this machine was touched.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=$(realpath -s "$1") deploy_python=$(realpath -s "$2")
shift 2

missing=$(for tool in dpkg-deb mmdebstrap qemu-system-x86_64 qemu-img mke2fs debugfs ip ssh curl setpriv unshare xz; do
    command -v $tool >/dev/null || echo $tool
done)
if [ "$(id -u)" != 0 ] || [ -n "$missing" ] || [ ! -e /dev/net/tun ]; then
    echo "This needs root, /dev/net/tun, and these programs, which are missing: ${missing:-none}" >&2
    echo "Say:  sudo apt install --no-install-recommends mmdebstrap qemu-system-x86 qemu-utils" \
        "e2fsprogs iproute2 openssh-client curl xz-utils  and try again as root" >&2
    exit 2
fi

EDGEDERM_E2E_BEGAN=$(date +%s)
work=$(mktemp -d)
# unshare is deaf while its child runs, and takes that along when it is killed.
trap 'trap "" INT TERM; for one in $(jobs -p); do kill -KILL "$one" 2>/dev/null || true; done; wait; rm -r "$work"' EXIT
trap 'exit 130' INT TERM

# ---- what is kept between runs: the disk, the release, picamera2; much of it is waiting
prepare() { TMPDIR=$work exec unshare --pid --fork --kill-child=KILL "$@"; }
prepare "$deploy_python" deploy/release.py --python 3.13 --machine x86_64 --into var/releases >"$work/release" &
release=$!
prepare tests/e2e_machine/picamera2.sh "$deploy_python" >"$work/picamera2" &
picamera2=$!
tests/e2e_machine/image.sh >"$work/image"
wait $release
wait $picamera2
EDGEDERM_E2E_IMAGE=$(tail -1 "$work/image")
EDGEDERM_E2E_PICAMERA2=$(tail -1 "$work/picamera2")
EDGEDERM_E2E_RELEASE=$(tail -1 "$work/release" | "$python" -c 'import json, sys; print(json.load(sys.stdin)["name"])')
prepared_s=$(($(date +%s) - EDGEDERM_E2E_BEGAN))
echo "disk and release: $prepared_s s"
export EDGEDERM_E2E_BEGAN EDGEDERM_E2E_RELEASE EDGEDERM_E2E_IMAGE EDGEDERM_E2E_PICAMERA2
export EDGEDERM_E2E_DEPLOY_PYTHON=$deploy_python
export EDGEDERM_E2E_PREPARED="{\"disk and release\": $prepared_s}"
# At least 3 and more on a busy machine: everything is emulated.
export EDGEDERM_E2E_PATIENCE=${EDGEDERM_E2E_PATIENCE:-3}
setpriv --pdeathsig KILL unshare --mount --net --pid --fork --kill-child=KILL --mount-proc "$python" "$@" &
wait $!
