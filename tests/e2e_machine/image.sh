#!/usr/bin/env bash
# Builds the machine's disk, kernel and first file system, or takes them from the cache.
# Usage: tests/e2e_machine/image.sh; prints the folder that holds them as its last line.
#
# No loop devices, and no mounts outside its own namespace.  The modules that Debian's kernel leaves
# out are built from Debian's own packages of their sources, here and now.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

cache=${XDG_CACHE_HOME:-$HOME/.cache}/edgederm/machine
# Installed on top of the board's Debian, all but two for picamera2; and only unpacked: kernel,
# compiler, sources.
system="udev kmod libcamera-ipa python3-apt python3-libcamera python3-prctl"
tools=linux-image-amd64,linux-headers-amd64,linux-source-6.12,v4l2loopback-dkms,gcc,make,dash,bash,coreutils,sed,grep,findutils,gawk,xz-utils,tar,libc6-dev,busybox-static,cpio
tools_tar=$cache/tools-$(echo "$tools" | sha256sum | cut -c1-12).tar
mkdir -p "$cache"

if [ "${1:-}" != inside ]; then
    # In memory, as dpkg waits for the disk after each file.  Removed from outside of the namespaces,
    # where nothing is mounted in it.
    work=$(mktemp -d /dev/shm/edgederm-machine.XXXXXX)
    trap 'kill -KILL $(jobs -p) 2>/dev/null || true; wait; rm -rf --one-file-system "$work"' EXIT
    if [ ! -f "$tools_tar" ]; then
        # Side by side with the board's Debian.
        rm -f "$cache"/tools-*.tar
        TMPDIR=$work unshare --mount --pid --fork --kill-child=KILL \
            mmdebstrap --quiet --variant=extract --include="$tools" trixie "$work/tools.tar" >&2 &
    fi
fi
debian=$("$here/../e2e/debian.sh")
key=$( (echo "$debian"; cat "$0" "$here/modules.sh" "$here"/guest/{board.sh,camera.py,init,*.service}) |
    sha256sum | cut -c1-12)
image=$cache/image-$key
if [ "${1:-}" != inside ]; then
    if [ ! -f "$tools_tar" ]; then
        wait $!
        mv "$work/tools.tar" "$tools_tar"
    fi
    [ -d "$image" ] || unshare --mount --pid --fork --kill-child=KILL "$0" inside "$work" >&2
    echo "$image"
    exit
fi

work=$2
root=$work/root build=$work/build
export TMPDIR=$work

# ---- the tools, with the kernel among them
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
kernel=$(basename "$build"/usr/lib/modules/*)

# ---- the board's Debian with what a machine needs
cp -a "$debian" "$root"
mkdir -p "$root/dev" "$root/proc"
mknod "$root/dev/null" c 1 3
mknod "$root/dev/urandom" c 1 9
mount -t proc proc "$root/proc"
cp /etc/resolv.conf "$root/etc/resolv.conf"
chroot "$root" sh -c "apt-get -qq update; DEBIAN_FRONTEND=noninteractive apt-get -qq install \
    --no-install-recommends $system; apt-get clean; rm -rf /var/lib/apt/lists/*" >/dev/null
umount "$root/proc"
rm "$root/dev/null" "$root/dev/urandom"

# ---- modules
modules=$cache/modules-$kernel-$(sha256sum <"$here/modules.sh" | cut -c1-12)
if [ ! -d "$modules" ]; then
    cp "$here/modules.sh" "$build/modules.sh"
    chroot "$build" /usr/bin/bash /modules.sh "$kernel"
    mv "$build/modules" "$modules"
fi
mv "$build/usr/lib/modules/$kernel" "$work/kernel"
mkdir -p "$root/usr/lib/modules"
mv "$work/kernel" "$root/usr/lib/modules/$kernel"
mkdir "$root/usr/lib/modules/$kernel/extra"
cp "$modules"/*.ko "$root/usr/lib/modules/$kernel/extra/"
depmod=$(ls "$root"/usr/sbin/depmod)
chroot "$root" "${depmod#"$root"}" "$kernel"

unfinished=$cache/unfinished-$key
rm -rf --one-file-system "$unfinished"
mkdir -m 700 "$unfinished"

# ---- a first file system with nothing but what this machine's disk needs: it runs in emulation
first=$build/first
mkdir -p "$first"/{bin,dev,proc,root,modules}
cp "$build/usr/bin/busybox" "$first/bin/busybox"
cp "$here/guest/init" "$first/init"
for name in virtio_pci virtio_blk ext4; do
    chroot "$root" modprobe --show-depends --set-version "$kernel" "$name"
done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r path; do
    name=$(basename "${path%.xz}")
    case $path in
        *.xz) xz -dc "$root$path" >"$first/modules/$name" ;;
        *) cp "$root$path" "$first/modules/$name" ;;
    esac
    echo "$name" >>"$first/modules/order"
done
chroot "$build" /usr/bin/sh -c 'cd /first && find . | cpio --quiet -o -H newc' >"$unfinished/initrd"
cp "$build/boot/vmlinuz-$kernel" "$unfinished/vmlinuz"

# ---- what makes it a board on a network
echo '/dev/vda / ext4 defaults,errors=remount-ro 0 1' >"$root/etc/fstab"
: >"$root/etc/resolv.conf"
mkdir -p "$root/etc/systemd/network"
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
# By which the tests get in as root; the box is deployed by a technician's key, made each time.
ssh-keygen -q -t ed25519 -N '' -C tests -f "$unfinished/root-key"
install -D -m 600 "$unfinished/root-key.pub" "$root/root/.ssh/authorized_keys"
chmod 700 "$root/root" "$root/root/.ssh"

mke2fs -q -t ext4 -d "$root" -L root "$work/base.ext4" 4G
qemu-img convert -f raw -O qcow2 "$work/base.ext4" "$unfinished/base.qcow2"
mv "$unfinished" "$image"
