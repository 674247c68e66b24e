#!/usr/bin/env bash
# The container tier: the real playbook and the real units on a board that is a systemd container.
# Usage: tests/e2e/run.sh PYTHON DEPLOY_PYTHON [pytest's arguments]
#
# The boards run in namespaces of their own for processes, mounts and network: when this ends, also
# killed, nothing of them is left running or mounted, and no address of this machine was touched.
# Killed at once (SIGKILL), it leaves empty control groups; nobody else takes their names.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=$(realpath -s "$1") deploy_python=$(realpath -s "$2")
shift 2

packages="mmdebstrap systemd-container iproute2 openssh-client curl"
missing=$(for tool in mmdebstrap systemd-nspawn ip ssh curl setpriv unshare; do
    command -v $tool >/dev/null || echo $tool
done)
if [ "$(id -u)" != 0 ] || [ -n "$missing" ]; then
    echo "make e2e needs root, and these programs, which are missing: ${missing:-none}" >&2
    echo "Say:  sudo apt install $packages  and then:  sudo make e2e" >&2
    exit 2
fi

# ---- what is kept between runs: the board's Debian, and the wheels
EDGEDERM_E2E_BEGAN=$(date +%s)
began=$SECONDS
root=$(tests/e2e/debian.sh)
debian_s=$((SECONDS - began))
echo "board's Debian: $debian_s s"
began=$SECONDS
"$deploy_python" deploy/release.py --python 3.13 --machine "$(uname -m)" --into var/releases >/dev/null
release_s=$((SECONDS - began))
echo "release: $release_s s"
EDGEDERM_E2E_PREPARED="{\"board's Debian\": $debian_s, \"release built\": $release_s}"
export EDGEDERM_E2E_BEGAN EDGEDERM_E2E_PREPARED

# ---- the groups that the board's limits live in, on a machine with control groups of version 1
group=edgederm-e2e-$$
# shellcheck disable=SC2317 # called by the trap
clean() {
    trap '' INT TERM
    # Not asked to end: unshare is deaf while its child runs, and takes that along when it is killed.
    for one in $(jobs -p); do kill -KILL "$one" 2>/dev/null || true; done
    wait
    # What was killed a moment ago still holds its group.
    for _ in $(seq 50); do
        find /sys/fs/cgroup -depth -type d -path "*/$group*" -exec rmdir {} \; 2>/dev/null || true
        [ -n "$(find /sys/fs/cgroup -type d -name "$group*" -print -quit)" ] || return 0
        sleep 0.2
    done
    echo "control groups are left: $(find /sys/fs/cgroup -type d -name "$group*")" >&2
}
trap clean EXIT
trap 'exit 130' INT TERM

# ---- two boards side by side, which know nothing of each other: much of the time is waiting
export EDGEDERM_E2E_ROOT=$root EDGEDERM_E2E_DEPLOY_PYTHON=$deploy_python
half() {  # NAME [pytest's arguments]
    export EDGEDERM_E2E_HALF=$1 EDGEDERM_E2E_GROUP=$group-$1
    shift
    # A /run of its own too, where systemd-nspawn keeps what it does not take away.
    # shellcheck disable=SC2016 # for the inner shell
    exec setpriv --pdeathsig KILL unshare --mount --net --pid --fork --kill-child=KILL --mount-proc \
        sh -c 'mount -t tmpfs tmpfs /run && exec "$@"' sh \
        "$python" -m pytest -p no:cacheprovider --override-ini=norecursedirs=.hypothesis "$@"
}
models=(tests/e2e/test_5_models.py tests/e2e/test_6_many.py)
log=var/e2e/models.txt
mkdir -p var/e2e
half models "${models[@]}" "$@" >$log 2>&1 &
models_pid=$!
half board tests/e2e "${models[@]/#/--ignore=}" "$@" &
board_pid=$!
board=0 models=0
wait $board_pid || board=$?
wait $models_pid || models=$?
cat $log
# 5: of the tests that were asked for by name, none is in this half.
case $board,$models in
0,0) ;;
0,5 | 5,0) [ $# -gt 0 ] || exit 5 ;;
5,* | 0,*) exit $models ;;
*) exit $board ;;
esac
"$python" -m tests.e2e.results "$@"
