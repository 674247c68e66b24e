"""
The boards that we know, one row each.

Lines of the three Raspberry Pis: the header's pins 11, 13, 15 and 16, beside the grounds 9 and 14.
None of them carries a bus (I2C, SPI, UART) or the camera unless an overlay asks for it, and all of
them are pulled down from reset on, so that the light stays dark until the box is up.

Lines of the Jetson: the four pins of the header whose signal on the module is a plain GPIO rather
than one of UART, SPI or I2S.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from device.core.board import BoardSpec, PanelLines, Source

AUTO = "auto"
"""In place of a name: whichever board the device tree tells of."""

_GIB = 2**30
_MIB = 2**20

_PI = "https://www.raspberrypi.com/documentation/computers/raspberry-pi.html"
_PI_SHEETS = "https://datasheets.raspberrypi.com"
_PI_KERNEL = "https://github.com/raspberrypi/linux/blob/rpi-6.12.y/arch/arm/boot/dts/broadcom"
_NVIDIA = "https://developer.nvidia.com/embedded/downloads"
_LINUX = "https://github.com/torvalds/linux/blob/v6.12"
_HEADER = Source("Raspberry Pi documentation, the 40-pin header", f"{_PI}#gpio")
_THERMAL = Source(
    "Raspberry Pi documentation, thermal control: slower from 80 °C on",
    f"{_PI}#frequency-management-and-thermal-control",
)
_PI_PINS = PanelLines(chip=None, button="11", red="15", green="13", blue="16")


def _pi_lines(chip: str) -> PanelLines:
    return PanelLines(chip=chip, button="GPIO17", red="GPIO22", green="GPIO27", blue="GPIO23")


_PI4 = BoardSpec(
    name="pi4",
    title="Raspberry Pi 4, 400 and Compute Module 4",
    compatible=("brcm,bcm2711",),
    model="Raspberry Pi 4",
    threads=4,
    memory_bytes=1 * _GIB,
    thermal_limit_celsius=80.0,
    lines=_pi_lines("pinctrl-bcm2711"),
    pins=_PI_PINS,
    sources=(
        _HEADER,
        _THERMAL,
        Source(
            "Raspberry Pi 4 Model B product brief: cores, memory",
            f"{_PI_SHEETS}/rpi4/raspberry-pi-4-product-brief.pdf",
        ),
        Source(
            "BCM2711 ARM Peripherals, General Purpose I/O: pulls at reset",
            f"{_PI_SHEETS}/bcm2711/bcm2711-peripherals.pdf",
        ),
        Source(
            "Device tree source: names of the lines",
            f"{_PI_KERNEL}/bcm2711-rpi-4-b.dts",
        ),
    ),
)

_PI5 = BoardSpec(
    name="pi5",
    title="Raspberry Pi 5, 500 and Compute Module 5",
    compatible=("brcm,bcm2712",),
    model="Raspberry Pi 5",
    threads=4,
    memory_bytes=1 * _GIB,
    thermal_limit_celsius=80.0,
    # The header hangs on a chip of its own, which was gpiochip4 and is gpiochip0 since 6.6.45.
    lines=_pi_lines("pinctrl-rp1"),
    pins=_PI_PINS,
    sources=(
        _HEADER,
        _THERMAL,
        Source(
            "Raspberry Pi 5 product brief: cores, memory",
            f"{_PI_SHEETS}/rpi5/raspberry-pi-5-product-brief.pdf",
        ),
        Source(
            "RP1 Peripherals, GPIO: pulls at reset",
            f"{_PI_SHEETS}/rp1/rp1-peripherals.pdf",
        ),
        Source(
            "Device tree source: names of the lines",
            f"{_PI_KERNEL}/bcm2712-rpi-5-b.dts",
        ),
    ),
)

_ZERO_2_W = BoardSpec(
    name="zero2w",
    title="Raspberry Pi Zero 2 W",
    # Not its second word, brcm,bcm2837, which is the Pi 3's as well.
    compatible=("raspberrypi,model-zero-2-w",),
    model="Raspberry Pi Zero 2 W",
    threads=4,
    memory_bytes=512 * _MIB,
    thermal_limit_celsius=80.0,
    lines=_pi_lines("pinctrl-bcm2835"),
    pins=_PI_PINS,
    sources=(
        _HEADER,
        _THERMAL,
        Source(
            "Raspberry Pi Zero 2 W product brief: cores, memory",
            f"{_PI_SHEETS}/rpizero2/raspberry-pi-zero-2-w-product-brief.pdf",
        ),
        Source(
            "BCM2835 ARM Peripherals, General Purpose I/O: pulls at reset",
            f"{_PI_SHEETS}/bcm2835/bcm2835-peripherals.pdf",
        ),
        Source(
            "Device tree source: names of the lines",
            f"{_PI_KERNEL}/bcm2710-rpi-zero-2-w.dts",
        ),
    ),
)

_JETSON_ORIN_NANO = BoardSpec(
    name="jetson-orin-nano",
    title="NVIDIA Jetson Orin Nano",
    # The module: 8 GB, 4 GB, and the 8 GB of the developer kit.
    compatible=("nvidia,p3767-0003", "nvidia,p3767-0004", "nvidia,p3767-0005"),
    model="NVIDIA Jetson Orin Nano",
    threads=6,
    memory_bytes=4 * _GIB,
    thermal_limit_celsius=95.0,
    lines=PanelLines(
        chip="tegra234-gpio", button="PQ.05", red="PAC.06", green="PN.01", blue="PQ.06"
    ),
    pins=PanelLines(chip=None, button="29", red="7", green="15", blue="31"),
    sources=(
        Source("Jetson Orin Nano Series data sheet, DS-11105-001: cores, memory", _NVIDIA),
        Source(
            "Jetson Orin Nano Developer Kit Carrier Board Specification, SP-11324-001: the header",
            _NVIDIA,
        ),
        Source(
            "NVIDIA's Jetson.GPIO: lines and pins of the header",
            "https://github.com/NVIDIA/jetson-gpio/blob/master/lib/python/Jetson/GPIO/gpio_pin_data.py",
        ),
        Source(
            "TXB0108 data sheet, SCES643: the level shifters of the header",
            "https://www.ti.com/lit/ds/symlink/txb0108.pdf",
        ),
        Source(
            "Linux, device tree source of the module: slower from 95 °C on, off at 104.5 °C",
            f"{_LINUX}/arch/arm64/boot/dts/nvidia/tegra234-p3767.dtsi",
        ),
    ),
)

GENERIC = BoardSpec(
    name="generic",
    title="Any other board whose kernel has GPIO lines of these names",
    compatible=(),
    model="",
    threads=1,
    memory_bytes=512 * _MIB,
    thermal_limit_celsius=None,
    lines=PanelLines(chip=None, button="BUTTON", red="LED_RED", green="LED_GREEN", blue="LED_BLUE"),
    pins=None,
    sources=(
        Source(
            "Linux, device tree bindings: how gpio-line-names names lines",
            f"{_LINUX}/Documentation/devicetree/bindings/gpio/gpio.txt",
        ),
    ),
)
"""The least that we count on: one core, as little memory as the smallest of the others."""

BOARDS: Mapping[str, BoardSpec] = MappingProxyType(
    {spec.name: spec for spec in (_PI4, _PI5, _ZERO_2_W, _JETSON_ORIN_NANO, GENERIC)}
)
