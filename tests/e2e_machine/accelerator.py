"""Whether this machine's processor runs the guest itself, seen by trying."""

import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path

EMULATED = (
    *("-accel", "tcg,thread=multi,tb-size=512"),
    *("-cpu", "qemu64,+ssse3,+sse4.1,+sse4.2,+popcnt"),
)
NATIVE = ("-accel", "kvm", "-cpu", "host")
_SEEN = b"Running on KVM"
_TRY_S = 10


@cache
def accelerator():
    """
    QEMU's options: KVM if its firmware comes up under it, else an emulated processor.

    That ``/dev/kvm`` is there says little: in a virtual machine it may be there and fail.
    """
    if not Path("/dev/kvm").exists():
        return EMULATED
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder) / "said"
        command = [
            *("qemu-system-x86_64", *NATIVE, "-m", "64", "-nodefaults", "-display", "none"),
            *("-chardev", f"file,id=d,path={said}"),
            *("-device", "isa-debugcon,iobase=0x402,chardev=d"),
        ]
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as qemu:
            try:
                until_s = time.monotonic() + _TRY_S
                while time.monotonic() < until_s and qemu.poll() is None:
                    if said.exists() and _SEEN in said.read_bytes():
                        return NATIVE
                    time.sleep(0.1)
            finally:
                qemu.kill()
    return EMULATED
