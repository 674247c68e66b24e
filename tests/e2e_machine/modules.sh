#!/bin/bash
# Runs in a root with a compiler: builds what Debian's kernel leaves out, from Debian's sources.
# Usage: modules.sh KERNEL; leaves the modules in /modules.
set -euo pipefail
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
kernel=$1
headers=/usr/src/linux-headers-$kernel
mkdir -p /build/gpio /build/vimc /modules
tar -C /build -xf /usr/src/linux-source-6.12.tar.xz --strip-components=1 --wildcards \
    '*/drivers/gpio/gpio-sim.c' '*/kernel/irq/irq_sim.c' \
    '*/drivers/media/test-drivers/vimc/*'

# The lines of a GPIO chip that is driven from sysfs.  irq_sim is no module in the kernel's own build.
cp /build/drivers/gpio/gpio-sim.c /build/kernel/irq/irq_sim.c /build/gpio/
sed -i -e '1i #include <linux/module.h>' -e '$a MODULE_LICENSE("GPL");' \
    -e 's/handle_simple_irq(irq_to_desc(irqnum))/generic_handle_irq(irqnum)/' /build/gpio/irq_sim.c
echo 'obj-m += irq_sim.o gpio-sim.o' >/build/gpio/Kbuild
make -C "$headers" M=/build/gpio modules

# A camera as libcamera's pipelines like it, and one that shows what a program writes to it.
make -C "$headers" M=/build/drivers/media/test-drivers/vimc CONFIG_VIDEO_VIMC=m modules
cp -r /usr/src/v4l2loopback-*/ /build/loopback
make -C "$headers" M=/build/loopback modules

find /build -name '*.ko' -exec cp {} /modules/ \;
strip --strip-debug /modules/*.ko
ls -l /modules
