#!/usr/bin/env bash
# Make what bench.simulate needs, once: an emulator of 64-bit ARM that counts instructions, a Debian
# for it, and the device's locked libraries.  Usage: bench/emulator.sh PYTHON; prints the folder.
#
# Debian's own emulator takes no plugins, so it is built from Debian's source: 15 CPU minutes,
# one process, niced.  Nothing is installed on this machine and nothing needs root.
set -euo pipefail
cd "$(dirname "$0")/.."
python=$(realpath -s "$1") tools_lock=$PWD/locks/emulator.txt

packages="build-essential ninja-build libglib2.0-dev pkg-config python3-venv mmdebstrap"
missing=$(for tool in cc ninja pkg-config mmdebstrap apt-get; do
    command -v $tool >/dev/null || echo $tool
done)
if [ -n "$missing" ] || ! pkg-config --exists glib-2.0; then
    echo "bench/emulator.sh needs Debian and these programs, which are missing: ${missing:-glib-2.0}" >&2
    echo "Say:  sudo apt install $packages" >&2
    exit 2
fi

cache=${XDG_CACHE_HOME:-$HOME/.cache}/edgederm/simulate
lock=locks/device-trixie.txt
site=$cache/site-$(sha256sum <$lock | cut -c1-12)
log=$cache/build.log
mkdir -p "$cache"

# ---- the emulator and the plugin that counts
if [ ! -x "$cache/qemu/qemu-aarch64" ]; then
    echo "building the emulator, see $log ..." >&2
    rm -rf "$cache/source" "$cache/tools" "$cache/apt" "$cache/qemu"
    mkdir -p "$cache/source" "$cache/apt/lists/partial" "$cache/apt/cache/archives/partial" "$cache/qemu"
    keys=/usr/share/keyrings/debian-archive-keyring.gpg
    echo "deb-src [signed-by=$keys] http://deb.debian.org/debian trixie main" >"$cache/apt/sources.list"
    cat >"$cache/apt/apt.conf" <<END
Dir::Etc::sourcelist "$cache/apt/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::State::lists "$cache/apt/lists";
Dir::Cache "$cache/apt/cache";
END
    (
        cd "$cache/source"
        APT_CONFIG=$cache/apt/apt.conf apt-get update
        APT_CONFIG=$cache/apt/apt.conf apt-get source --download-only qemu
        tar --strip-components=1 -xf qemu_*.orig.tar.xz
        "$python" -m venv "$cache/tools"
        # Meson builds it; pycotap it asks for and does not use.
        "$cache/tools/bin/python" -m pip install --quiet --disable-pip-version-check \
            --require-hashes --only-binary :all: -r "$tools_lock"
        mkdir build
        cd build
        PATH="$cache/tools/bin:$PATH" ../configure --python="$cache/tools/bin/python" \
            --target-list=aarch64-linux-user --without-default-features --enable-plugins \
            --disable-system --disable-docs --disable-tools --disable-werror --disable-download \
            --disable-install-blobs
        nice -n 10 ninja -j1 qemu-aarch64 tests/tcg/plugins/libinsn.so
        cp tests/tcg/plugins/libinsn.so "$cache/qemu/"
        cp qemu-aarch64 "$cache/qemu/" # Last: what is looked for above.
    ) >"$log" 2>&1
    rm -rf "$cache/source" "$cache/tools" "$cache/apt"
fi

# ---- a Debian for the board's machine, unpacked and never started
if [ ! -d "$cache/root" ]; then
    rm -rf "$cache/root.unfinished"
    mmdebstrap --quiet --architectures=arm64 --variant=extract --include=python3,libstdc++6 \
        trixie "$cache/root.unfinished" >&2
    # The package that brings these links is not among those that are only unpacked.
    for folder in bin lib lib64 sbin; do
        [ -e "$cache/root.unfinished/$folder" ] || ln -s "usr/$folder" "$cache/root.unfinished/$folder"
    done
    mv "$cache/root.unfinished" "$cache/root"
fi

# ---- the device's libraries, as they are locked
if [ ! -d "$site" ]; then
    rm -rf "$cache"/site-*
    platforms=$(printf -- '--platform manylinux_2_%s_aarch64 ' 28 27 17)
    # shellcheck disable=SC2086 # several arguments
    "$python" -m pip install --quiet --disable-pip-version-check --target "$site.unfinished" \
        --python-version 3.13 --implementation cp --only-binary :all: $platforms \
        --platform manylinux2014_aarch64 --no-deps --require-hashes -r $lock >&2
    mv "$site.unfinished" "$site"
fi
ln -sfn "$(basename "$site")" "$cache/site"
echo "$cache"
