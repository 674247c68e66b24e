"""A board that is a whole machine in QEMU: a kernel, lines, cameras and a disk of its own."""

import contextlib
import socket
import subprocess
import time
from pathlib import Path

from tests.e2e.board import PATIENCE, ROOT, Board, call, wait_for

PICTURE_PX = (640, 480)
"""Width and height of what the virtual camera shows."""
OUTSIDE = "198.51.100.1"
"""An address beyond the practice's network, of the same machine as the controller."""
SNAPSHOT = "ready"
_COMMAND_LINE = (
    "root=/dev/vda rw console=ttyS0 net.ifnames=0 mitigations=off quiet "
    "systemd.mask=systemd-networkd-wait-online.service "
    "modprobe.blacklist=kvm_amd,kvm,powernow_k8,psmouse"
)


class Machine(Board):
    """
    Boots a disk in QEMU, without KVM: where it is there it may still fail.

    Only to be used in the namespaces that ``run.sh`` makes.

    Args:
        folder: For keys, inventories and disks.
        artifacts: For what the machine said.
        image: Folder that ``image.sh`` made.
        base: Disk under this machine's own; the image's if not said.
    """

    PLAYED_S = 600

    def __init__(self, folder: Path, artifacts: Path, image: Path, *, base: Path | None = None):
        self.folder, self.artifacts = folder, artifacts
        self.name, self.here, self.there = "board", "10.99.0.1", "10.99.0.2"
        self.disk = folder / "disk.qcow2"
        self._image = image
        self._key = folder / "key"
        self._root_key = image / "root-key"
        self._qemu = None
        self._boots = 0
        under = base or image / "base.qcow2"
        call("qemu-img", "create", "-q", "-f", "qcow2", "-b", under, "-F", "qcow2", self.disk)

    # ------------------------------------------------------------------------------- power

    def start(self, *, snapshot=None, disk=None):
        """Switch on, cold or from a snapshot, and wait until it can be reached as root."""
        self._make_network()
        self._boots += 1
        self._monitor = self.folder / f"monitor-{self._boots}"
        command = [
            "qemu-system-x86_64", "-accel", "tcg,tb-size=512",
            "-cpu", "qemu64,+ssse3,+sse4.1,+sse4.2,+popcnt", "-m", "2048",
            # One processor, also because two machines run at once.  With two, an emulator on a busy
            # machine is seen to let the guest's kernel run into code that the other one is just
            # changing, and it dies of that in one cold boot of many.
            "-smp", "1",
            "-nodefaults", "-display", "none",
            "-kernel", self._image / "vmlinuz", "-initrd", self._image / "initrd",
            "-append", _COMMAND_LINE,
            "-drive", f"file={disk or self.disk},format=qcow2,if=none,id=d0,cache=none",
            "-device", "virtio-blk-pci,drive=d0",
            "-netdev", "tap,id=n0,ifname=board0,script=no,downscript=no",
            "-device", "virtio-net-pci,netdev=n0", "-device", "virtio-rng-pci",
            "-device", "i6300esb", "-action", "watchdog=reset",
            "-serial", f"file:{self.artifacts}/console-{self._boots:02}.log",
            "-monitor", f"unix:{self._monitor},server=on,wait=off",
            *(["-loadvm", snapshot] if snapshot else []),
        ]  # fmt: skip
        with (self.artifacts / "qemu.log").open("a") as log:
            self._qemu = subprocess.Popen(
                ["nice", "-n", "5", *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        took_s = wait_for(self.is_up, 180)
        if snapshot:
            # The guest's clock stood still; certificates, journals and retention go by it.
            self.root(f"date -s @{time.time():.0f}")
        return round(took_s, 1)

    def is_up(self):
        """Whether root gets in."""
        if self._qemu.poll() is not None:
            raise RuntimeError(f"QEMU ended: {(self.artifacts / 'qemu.log').read_text()[-2000:]}")
        try:
            return self.root("echo up", check=False) == "up\n"
        except subprocess.TimeoutExpired:
            return False

    def stop(self):
        """Switch off in order, so that all is on the disk."""
        if self._qemu is None or self._qemu.poll() is not None:
            return
        with contextlib.suppress(RuntimeError, subprocess.TimeoutExpired):
            self.root("systemctl poweroff", check=False)
            self._qemu.wait(60 * PATIENCE)
        self.cut()

    def cut(self):
        """Take the power away."""
        if self._qemu is not None:
            self._qemu.kill()
            self._qemu.wait(20)
        self.forget()

    def tell_monitor(self, command, longest_s=60):
        """Give QEMU's monitor a command; returns what it printed."""
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(longest_s * PATIENCE)
            line.connect(str(self._monitor))
            self._until_prompt(line)
            line.sendall(f"{command}\n".encode())
            return self._until_prompt(line)

    @staticmethod
    def _until_prompt(line):
        said = b""
        while not said.endswith(b"(qemu) "):
            if not (more := line.recv(4096)):
                raise RuntimeError(f"QEMU's monitor is gone after {said!r}")
            said += more
        return said.decode(errors="replace")

    def _make_network(self):
        if "board0" in call("ip", "link"):
            return
        for one in (
            "link set lo up",
            "tuntap add dev board0 mode tap",
            f"addr add {self.here}/24 dev board0",
            f"addr add {OUTSIDE}/32 dev lo",
            "link set board0 up",
        ):
            call("ip", *one.split())

    # ------------------------------------------------------------------------------- inside

    def _ssh(self):
        return [
            "ssh", "-i", self._root_key, "-o", "BatchMode=yes", "-o", "ConnectTimeout=20",
            "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
            "-o", "LogLevel=ERROR", "-o", "ControlMaster=auto", "-o", "ControlPersist=300",
            "-o", "ServerAliveInterval=15",
            "-o", f"ControlPath={self._control()}", f"root@{self.there}",
        ]  # fmt: skip

    def _control(self):
        return self.folder / f"ssh-{self._boots}"

    def forget(self):
        """Give up connections to a kernel that is not there any more."""
        to = self._ssh()
        subprocess.run([*to[:-1], "-O", "exit", to[-1]], check=False, capture_output=True)

    def root(self, script, *, check=True):
        """Run a shell script on the board as root; returns its output."""
        return call(*self._ssh(), script, check=check)

    def begin(self, script):
        """Begin a shell script on the board; returns the process, its output to be read."""
        return subprocess.Popen(
            [*self._ssh(), script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        )

    def put(self, source, target):
        """Copy files onto the board."""
        archive = subprocess.run(
            ["tar", "-C", source, "-c", "."], check=True, capture_output=True
        ).stdout
        subprocess.run(
            [*self._ssh(), f"mkdir -p {target}; tar -C {target} -x"], input=archive, check=True
        )

    def put_bytes(self, content, target):
        """Write one file onto the board, whole or not at all."""
        script = f"cat > {target}.new && mv {target}.new {target}"
        subprocess.run([*self._ssh(), script], input=content, check=True)

    # ------------------------------------------------------------------------------- outside

    def show(self, picture: Path):
        """Hold a picture before the camera."""
        self.put_bytes(yuyv(picture), "/srv/camera/frame.yuyv")

    def press(self, held_s=0.3):
        """Press the button and let go."""
        pull = "/run/lines/sim_gpio17/pull"
        self.root(f"echo pull-down > {pull}; sleep {held_s}; echo pull-up > {pull}")

    def light(self, seconds):
        """Watch the LEDs; returns the colors that were seen, each as a word of r, g and b."""
        script = (
            f"end=$(($(date +%s) + {seconds})); cd /run/lines; "
            "while [ $(date +%s) -lt $end ]; do read r < sim_gpio22/value; "
            "read g < sim_gpio27/value; read b < sim_gpio23/value; "
            'echo "$r$g$b"; sleep 0.05; done | sort | uniq -c'
        )
        names = ("r", "g", "b")
        seen = {}
        for line in self.root(script).splitlines():
            count, bits = line.split()
            lit = (name for name, bit in zip(names, bits, strict=True) if bit == "1")
            seen["".join(lit)] = int(count)
        return seen


def yuyv(picture: Path):
    """Return a picture as a camera of 640x480 sends it."""
    import cv2
    import numpy as np

    pixels_HWC = cv2.resize(cv2.imread(str(picture)), PICTURE_PX, interpolation=cv2.INTER_AREA)
    # Video's range, which drivers and OpenCV expect: 16 to 235, and 16 to 240 for colors.
    full_HWC = cv2.cvtColor(pixels_HWC, cv2.COLOR_BGR2YCrCb).astype(np.float32)
    y_HW = full_HWC[:, :, 0] * (219 / 255) + 16
    colors_HWC = (full_HWC[:, :, 1:] - 128) * (224 / 255) + 128
    halved_HWC = (colors_HWC[:, 0::2] + colors_HWC[:, 1::2]) / 2
    v_HW, u_HW = halved_HWC[:, :, 0], halved_HWC[:, :, 1]
    height, width = y_HW.shape
    packed = np.empty((height, width, 2), np.float32)
    packed[:, :, 0] = y_HW
    packed[:, 0::2, 1], packed[:, 1::2, 1] = u_HW, v_HW
    return packed.round().clip(0, 255).astype(np.uint8).tobytes()


SAMPLES = ROOT / "device/samples"
