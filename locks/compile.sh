#!/usr/bin/env bash
# Resolve every lock again, to the newest versions that the .in files allow; `make lock` calls it.
# Usage: locks/compile.sh PYTHON
#
# Each lock is resolved for every Python and machine that it is meant for, wheels only, and refused
# when two of them differ: one plain list of pins has to serve all.
# A pin names the extras that others ask for: a pip older than 23.3 (Debian 12 has 23.0.1) looks for
# the newest `coverage[toml]` where the lock says `coverage` alone, and finds no hash for it.
set -euo pipefail
cd "$(dirname "$0")"
uv_version=0.13.9

venv=../.venv-lock
[ -x $venv/bin/uv ] || "$1" -m venv --clear $venv
$venv/bin/python -m pip install --quiet --disable-pip-version-check uv==$uv_version

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# [machines=MACHINE] resolve NAME "PYTHONS" INPUT [OPTION...]: writes NAME.txt
resolve() {
    local name=$1 pythons=$2 input=$3 first=''
    shift 3
    for python in $pythons; do
        for machine in ${machines:-x86_64 aarch64}; do
            local out=$work/$name-$python-$machine.txt
            # Pythons after the first take the first one's pins, so that only a conflict can differ.
            $venv/bin/uv pip compile "$input" "$@" ${first:+--constraints "$first"} --quiet \
                --python-version "$python" --python-platform "$machine-manylinux_2_28" \
                --only-binary :all: --no-strip-extras --generate-hashes --no-header --no-annotate \
                --output-file "$out"
            first=${first:-$out}
            cmp "$first" "$out" || { echo "$name.txt differs between Pythons or machines" >&2; exit 1; }
        done
    done
    { echo "# Made by make lock; do not edit."; cat "$first"; } >"$name.txt"
    echo "$name.txt: $(grep -c == "$name.txt") packages"
}

resolve device-trixie "3.13 3.12" device-trixie.in
resolve device-bookworm "3.11" device-bookworm.in
resolve device-jetson "3.10" device-jetson.in

# Training and tests see the versions of trixie's device, on every Python they support.
resolve training-cuda "3.11 3.12 3.13" training.in --constraints device-trixie.txt
resolve training-cpu "3.11 3.12 3.13" training.in --constraints training-cuda.txt \
    --excludes not-on-cpu.in --no-emit-package torch
sed -i '/^# The following packages were excluded/,$d' training-cpu.txt
grep -v '^#' torch-cpu.in >>training-cpu.txt
resolve dev "3.11 3.12 3.13" dev.in --constraints training-cpu.txt
resolve cluster "3.11 3.12 3.13" cluster.in --constraints training-cpu.txt --constraints dev.txt
machines=x86_64 resolve fuzz "3.11 3.12 3.13" fuzz.in
# On top of any device lock but Jetson's: what numpy and pillow it has is the device's affair.
resolve bench "3.11 3.12 3.13" bench.in --constraints device-trixie.txt \
    --no-emit-package numpy --no-emit-package pillow --no-emit-package typing-extensions
resolve weights "3.11 3.12 3.13" weights.in --no-deps
resolve emulator "3.11 3.12 3.13" emulator.in --no-deps
# An environment of its own: ansible does not go on top of any other.
resolve deploy "3.11 3.12 3.13" deploy.in
