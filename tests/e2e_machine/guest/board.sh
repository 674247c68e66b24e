#!/bin/sh
# What a board has: a GPIO chip with named lines, and cameras.
set -eu
modprobe gpio-sim
modprobe v4l2loopback devices=1 video_nr=10 card_label=edgederm exclusive_caps=1
modprobe vimc
# The heap from which a Raspberry Pi's cameras take their memory, under its name there.
[ ! -e /dev/dma_heap/system ] || ln -sfn system "/dev/dma_heap/linux,cma"
mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config
chip=/sys/kernel/config/gpio-sim/board
[ ! -d $chip ] || exit 0
mkdir $chip $chip/bank0
echo 28 >$chip/bank0/num_lines
echo edgederm-sim >$chip/bank0/label
for line in 17:BUTTON 22:LED_RED 27:LED_GREEN 23:LED_BLUE; do
    mkdir "$chip/bank0/line${line%%:*}"
    echo "${line#*:}" >"$chip/bank0/line${line%%:*}/name"
done
echo 1 >$chip/live
# Where the lines are seen and pulled from outside, under a name that does not change.
ln -sfn "/sys/devices/platform/$(cat $chip/dev_name)/$(cat $chip/bank0/chip_name)" /run/lines
