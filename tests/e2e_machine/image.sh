#!/usr/bin/env bash
# Builds the machine's disk, kernel and first file system, or takes them from the cache.
# Usage: tests/e2e_machine/image.sh; prints the folder that holds them as its last line.
#
# No loop devices, and no mounts outside its own namespace.  The modules that Debian's kernel leaves
# out are built from Debian's own packages of their sources, here and now.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

cache=${XDG_CACHE_HOME:-$HOME/.cache}/edgederm/machine
system=systemd,systemd-sysv,dbus,udev,openssh-server,python3,python3-venv,sudo,iproute2,ca-certificates,procps,kmod,linux-image-amd64,initramfs-tools,zstd,nftables,python3-libcamera,python3-prctl,libcamera-ipa
tools=gcc,make,dash,bash,coreutils,sed,grep,findutils,mawk,gawk,diffutils,perl-base,linux-headers-amd64,linux-source-6.12,v4l2loopback-dkms,xz-utils,tar,libc6-dev,bzip2
key=$( (echo "$system $tools"; cat "$0" "$here/modules.sh" "$here"/guest/{board.sh,camera.py,*.service}) | sha256sum | cut -c1-12)
image=$cache/image-$key

if [ "${1:-}" != inside ]; then
    if [ ! -d "$image" ]; then
        # In memory, as dpkg waits for the disk after each file.  Removed from outside of the
        # namespace, where nothing is mounted in it.
        work=$(mktemp -d /dev/shm/edgederm-machine.XXXXXX)
        trap 'rm -rf --one-file-system "$work"' EXIT
        unshare --mount --pid --fork --kill-child=KILL "$0" inside "$work" >&2
    fi
    echo "$image"
    exit
fi

work=$2
export TMPDIR=$work
mkdir -p "$cache"
lean=(--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*'
    --dpkgopt='path-exclude=/usr/share/locale/*')
named() { echo "$cache/$1-$(echo "$2" | sha256sum | cut -c1-12).tar"; }
root_tar=$(named root "$system") tools_tar=$(named tools "$tools")
if [ ! -f "$root_tar" ]; then
    mmdebstrap --quiet --variant=minbase --include="$system" "${lean[@]}" trixie "$work/root.tar"
    mv "$work/root.tar" "$root_tar"
fi
if [ ! -f "$tools_tar" ]; then
    mmdebstrap --quiet --variant=extract --include="$tools" trixie "$work/tools.tar"
    mv "$work/tools.tar" "$tools_tar"
fi
root=$work/root
mkdir "$root"
tar -C "$root" -xf "$root_tar" --exclude='./dev/*'
kernel=$(basename "$root"/usr/lib/modules/*)

# ---- modules
modules=$cache/modules-$kernel-$(sha256sum <"$here/modules.sh" | cut -c1-12)
if [ ! -d "$modules" ]; then
    build=$work/build
    mkdir "$build"
    tar -C "$build" -xf "$tools_tar" --exclude='./dev/*'
    # What an installation would make.
    for name in bin sbin lib lib64; do
        [ -e "$build/$name" ] || ln -s "usr/$name" "$build/$name"
    done
    [ -e "$build/usr/bin/sh" ] || ln -s dash "$build/usr/bin/sh"
    [ -e "$build/usr/bin/awk" ] || ln -s gawk "$build/usr/bin/awk"
    mkdir -p "$build/dev" "$build/tmp"
    mknod "$build/dev/null" c 1 3
    cp "$here/modules.sh" "$build/modules.sh"
    chroot "$build" /usr/bin/bash /modules.sh "$kernel"
    mv "$build/modules" "$modules"
fi
mkdir -p "$root/usr/lib/modules/$kernel/extra"
cp "$modules"/*.ko "$root/usr/lib/modules/$kernel/extra/"
chroot "$root" depmod "$kernel"
# A first file system with nothing but what this machine's disk needs: it is unpacked in emulation.
echo MODULES=list >"$root/etc/initramfs-tools/conf.d/virtual-board"
printf 'virtio_pci\nvirtio_blk\next4\n' >>"$root/etc/initramfs-tools/modules"
mkdir -p "$root/dev"
mknod "$root/dev/null" c 1 3
chroot "$root" update-initramfs -u -k "$kernel"

# ---- what makes it a board on a network
echo edgederm-board >"$root/etc/hostname"
printf '127.0.0.1 localhost\n127.0.1.1 edgederm-board\n' >"$root/etc/hosts"
: >"$root/etc/machine-id"
echo '/dev/vda / ext4 defaults,errors=remount-ro 0 1' >"$root/etc/fstab"
cat >"$root/etc/systemd/network/10-board.network" <<'END'
[Match]
Name=eth0
[Network]
Address=10.99.0.2/24
Gateway=10.99.0.1
LinkLocalAddressing=no
IPv6AcceptRA=no
END
mkdir -p "$root/usr/local/lib/virtual-board" "$root/srv/camera"
cp "$here"/guest/{board.sh,camera.py} "$root/usr/local/lib/virtual-board/"
cp "$here"/guest/*.service "$root/etc/systemd/system/"
chroot "$root" systemctl --quiet enable systemd-networkd virtual-board virtual-camera
# Keep what it said through a power cut.
mkdir -p "$root/var/log/journal"

unfinished=$cache/unfinished-$key
rm -rf --one-file-system "$unfinished"
mkdir -m 700 "$unfinished"
# By which the tests get in as root; the box is deployed by a technician's key, made each time.
ssh-keygen -q -t ed25519 -N '' -C tests -f "$unfinished/root-key"
install -D -m 600 "$unfinished/root-key.pub" "$root/root/.ssh/authorized_keys"
chmod 700 "$root/root" "$root/root/.ssh"
cp "$root/boot/vmlinuz-$kernel" "$unfinished/vmlinuz"
mv "$root/boot/initrd.img-$kernel" "$unfinished/initrd"
mke2fs -q -t ext4 -d "$root" -L root "$work/base.ext4" 4G
qemu-img convert -f raw -O qcow2 "$work/base.ext4" "$unfinished/base.qcow2"
mv "$unfinished" "$image"
