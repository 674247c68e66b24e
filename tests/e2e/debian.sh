#!/usr/bin/env bash
# Makes the Debian that virtual boards begin with, or takes it from the cache; prints its folder.
set -euo pipefail

cache=${XDG_CACHE_HOME:-$HOME/.cache}/edgederm/e2e
include=systemd,systemd-sysv,dbus,openssh-server,python3,sudo,iproute2,ca-certificates,procps,libseccomp2,nftables,libfaketime
root=$cache/trixie-$(echo "$include" | sha256sum | cut -c1-12)
if [ ! -d "$root" ]; then
    mkdir -p "$cache"
    rm -rf --one-file-system "$cache"/trixie-*
    # In memory, as dpkg waits for the disk after each file.
    work=$(mktemp -d /dev/shm/edgederm-e2e.XXXXXX)
    trap 'rm -rf --one-file-system "$work"' EXIT
    # What it mounts ends with its namespace, also when it is killed: /dev/shm itself would lie
    # below the folder that is removed.  No package's documents and languages.
    TMPDIR=$work unshare --mount --pid --fork --kill-child=KILL \
        mmdebstrap --quiet --variant=minbase --include="$include" \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' \
        trixie "$work/root.tar" >&2
    mkdir "$root.unfinished"
    tar -C "$root.unfinished" -xf "$work/root.tar" --exclude='./dev/*'
    echo edgederm-board >"$root.unfinished/etc/hostname"
    printf '127.0.0.1 localhost\n127.0.1.1 edgederm-board\n' >"$root.unfinished/etc/hosts"
    : >"$root.unfinished/etc/machine-id"
    mv "$root.unfinished" "$root"
fi
echo "$root"
