#!/usr/bin/env bash
# Packs picamera2 as a Debian package, as the playbook asks apt for it.
# Usage: tests/e2e_machine/picamera2.sh PYTHON; prints the package's path as its last line.
#
# Its own code is the real one.  What Debian has no packages of and a box does not use, previews on a
# screen and raw files, is stood in for.
set -euo pipefail
cd "$(dirname "$0")"
python=$1
cache=${XDG_CACHE_HOME:-$HOME/.cache}/edgederm/machine
key=$(cat picamera2.sh picamera2.txt standins/*.py standins/*/*.py | sha256sum | cut -c1-12)
package=$cache/python3-picamera2-$key.deb
if [ -f "$package" ]; then
    echo "$package"
    exit
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
modules=$work/usr/lib/python3/dist-packages
mkdir -p "$modules" "$work/DEBIAN" "$cache"
"$python" -m pip install --quiet --no-compile --require-hashes --no-deps --only-binary :all: --target "$modules" \
    --python-version 3.13 --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 \
    --platform manylinux_2_17_x86_64 --platform any -r picamera2.txt >&2
cp -r standins/. "$modules"
cat >"$work/DEBIAN/control" <<END
Package: python3-picamera2
Version: 0.3.38
Architecture: amd64
Depends: python3, python3-libcamera, python3-prctl, libcamera-ipa
Maintainer: EdgeDerm
Description: picamera2 for the machine tier of EdgeDerm's tests
END
# As Debian's own packages do it: the service may not write what it compiles.
cat >"$work/DEBIAN/postinst" <<'END'
#!/bin/sh
exec py3compile -p python3-picamera2
END
chmod 755 "$work" "$work/DEBIAN/postinst"
dpkg-deb --build --root-owner-group "$work" "$package.unfinished" >&2
mv "$package.unfinished" "$package"
echo "$package"
