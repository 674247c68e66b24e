"""A board that is a systemd container, and what a controller and a passer-by do with it."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONTROLLERS = ("memory", "pids", "cpu", "cpuacct", "blkio", "devices")
USER = "technician"
REBOOTS = 133
"""With which status systemd-nspawn says that it wants to be started again."""
PATIENCE = float(os.environ.get("EDGEDERM_E2E_PATIENCE", "1"))
"""How many times longer than on an idle machine everything may take."""


def call(*command, check=True, **options):
    """Run a command here; returns its output."""
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=120 * PATIENCE, **options
    )
    if check and done.returncode:
        raise RuntimeError(f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout


class Board:
    """
    Boots a container from the cached Debian, which it leaves as it is.

    Only to be used in the namespaces that ``run.sh`` makes.

    Args:
        folder: For keys and inventories.
        artifacts: For what the board and the playbooks said.
        name: In the inventory.
        net: Third number of the addresses of its network; one for each board.
    """

    PLAYED_S = 300
    """Within which a playbook ends, before patience."""

    def __init__(self, folder: Path, artifacts: Path, *, name: str = "board", net: int = 0):
        self.folder = folder
        self.name = name
        self.here, self.there = f"10.99.{net}.1", f"10.99.{net}.2"
        self.artifacts = artifacts
        self._root = Path(os.environ["EDGEDERM_E2E_ROOT"])
        self._group = f"{os.environ['EDGEDERM_E2E_GROUP']}-{name}"
        self._nspawn = None
        self._leader = None
        self._key = folder / "key"
        self._console = artifacts / f"{name}-console.log"

    # ------------------------------------------------------------------------------- power

    def start(self):
        call("ip", "link", "set", "lo", "up")
        groups = self._groups()
        enter = "".join(f"echo $$ > {one}/cgroup.procs; " for one in groups.values())
        console = self._console.open("w")
        self._nspawn = subprocess.Popen(
            [
                "sh", "-c", f'{enter}exec "$@"', "sh", "systemd-nspawn", "--boot",
                "-D", self._root, "-M", self.name, "--register=no", "--keep-unit",
                "--console=pipe", "--private-network", "--network-veth", "--volatile=overlay",
            ],
            stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT,
        )  # fmt: skip
        console.close()
        wait_for(self._find_leader, 20)
        link = f"ve-{self.name}"
        wait_for(lambda: link in call("ip", "link"), 10)
        call("ip", "addr", "add", f"{self.here}/24", "dev", link)
        call("ip", "link", "set", link, "up")
        # Looked for anew each time: the first child of systemd-nspawn only prepares the second.
        has_begun = "test -S /run/systemd/private && echo"
        wait_for(lambda: self._find_leader() and self.root(has_begun, check=False), 20)
        if (state := self.root("systemctl is-system-running --wait", check=False)) != "running\n":
            raise RuntimeError(f"the board is {state}")
        # In a container of control groups of version 1 the groups cannot be written until they are
        # mounted anew, and limits are ignored without a word.
        for one in groups.keys() & CONTROLLERS:
            self.root(f"mount -o remount,bind,rw /sys/fs/cgroup/{one}")
        self.root("systemctl daemon-reexec")
        self.root(f"ip addr add {self.there}/24 dev host0; ip link set host0 up")

    def stop(self):
        if self._nspawn is None:
            return
        with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
            if self._leader is not None:
                os.kill(self._leader, signal.SIGRTMIN + 3)
            self._nspawn.wait(20)
        for one in (self._leader, self._nspawn.pid):
            if one is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(one, signal.SIGKILL)
        self._nspawn.wait(20)

    def _groups(self):
        """
        Make groups of the board's own by controller, so that its systemd makes nothing beside them.

        And by the two hierarchies in which a systemd keeps its units: two boards in one would take
        each other's processes for their own.
        """
        lines = Path("/proc/self/cgroup").read_text().splitlines()
        mine = {line.split(":")[1]: line.split(":")[2] for line in lines}
        places = {one: one for one in CONTROLLERS} | {"name=systemd": "systemd", "": "unified"}
        made = {
            one: Path(f"/sys/fs/cgroup/{place}{mine[one].rstrip('/')}/{self._group}")
            for one, place in places.items()
            # With version 2 alone there is nothing to make: systemd-nspawn hands on its own.
            if one in mine and Path("/sys/fs/cgroup", place).exists()
        }
        for one in made.values():
            one.mkdir(exist_ok=True)
        return made

    def _find_leader(self):
        if self._nspawn.poll() is not None:
            raise RuntimeError(self._console.read_text())
        found = call("pgrep", "-P", str(self._nspawn.pid), check=False).split()
        self._leader = int(found[0]) if found else None
        return found

    # ------------------------------------------------------------------------------- inside

    def root(self, script, *, check=True):
        """Run a shell script on the board as root, without the network; returns its output."""
        inside = ("nsenter", "--target", str(self._leader), "--all", "sh", "-c", script)
        return call(*inside, check=check)

    def put(self, source: Path, target: str):
        """Copy files onto the board."""
        archive = subprocess.run(
            ["tar", "-C", source, "-c", "."], check=True, capture_output=True
        ).stdout
        self.root(f"mkdir -p {target}")
        subprocess.run(
            ["nsenter", "--target", str(self._leader), "--all", "tar", "-C", target, "-x"],
            input=archive, check=True,
        )  # fmt: skip

    def put_samples(self):
        """Pictures for the replay camera."""
        self.put(ROOT / "device/samples", "/srv/pictures")

    def put_bytes(self, content: bytes, target: str):
        """Write one file onto the board."""
        subprocess.run(
            ["nsenter", "--target", str(self._leader), "--all", "tee", target],
            input=content, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip

    def service(self, *names):
        """Ask systemd for properties of the service."""
        text = self.root(f"systemctl show edgederm --property={','.join(names)}")
        found = dict(line.partition("=")[::2] for line in text.splitlines())
        return found[names[0]] if len(names) == 1 else found

    def pid(self):
        """Of the service; 0 while there is none."""
        return int(self.service("MainPID"))

    def kill(self, name="KILL"):
        """Send the service a signal; returns the process that got it."""
        pid = self.pid()
        if pid == 0:  # To kill 0 is to kill all that began together with the caller.
            raise RuntimeError("there is no service to send a signal to")
        self.root(f"kill -s {name} {pid}")
        return pid

    # ------------------------------------------------------------------------------ outside

    def let_in(self):
        """Give a technician who may use sudo a key, and know the board by its own."""
        call("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self._key))
        public = self._key.with_suffix(".pub").read_text().strip()
        self.root(
            f"useradd --create-home --shell /bin/sh {USER}; "
            f"echo '{USER} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/{USER}; "
            f"mkdir -m 700 /home/{USER}/.ssh; echo '{public}' > /home/{USER}/.ssh/authorized_keys; "
            f"chown -R {USER} /home/{USER}/.ssh"
        )
        host = self.root("cat /etc/ssh/ssh_host_ed25519_key.pub").split()
        (self.folder / "known_hosts").write_text(f"{self.there} {host[0]} {host[1]}\n")

    def host(self):
        """How an inventory names this board."""
        return {
            "ansible_host": self.there,
            "ansible_user": USER,
            "ansible_ssh_private_key_file": str(self._key),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={self.folder}/known_hosts "
            "-o StrictHostKeyChecking=yes -o ConnectTimeout=5",
        }

    def inventory(self, variables, *, others=None):
        """Write an inventory of this board and others before it, which may not be there at all."""
        hosts = {**(others or {}), self.name: self.host()}
        path = self.folder / "inventory.json"
        path.write_text(json.dumps({"edgederm": {"hosts": hosts, "vars": variables}}))
        return path

    def play(self, name, inventory, *options, source=ROOT, check=True):
        """
        Run a playbook.

        Returns:
            What it said, as one line, with the counts of each board as ``recap``; and those of
            this board.
        """
        ansible = Path(os.environ["EDGEDERM_E2E_DEPLOY_PYTHON"]).with_name("ansible-playbook")
        number = len(list(self.artifacts.glob("play-*")))
        log = self.artifacts / f"play-{number:02}-{name}.txt"
        began_s = time.monotonic()
        # Into the file while it plays, so that one which meets the limit is there to be read.
        with log.open("w") as file:
            file.write(f"{' '.join(options)}\n")
            file.flush()
            done = subprocess.run(
                [ansible, f"{name}.yml", "-i", inventory, *options],
                cwd=source / "deploy/ansible", stdout=file, stderr=subprocess.STDOUT, check=False,
                timeout=self.PLAYED_S * PATIENCE, stdin=subprocess.DEVNULL,
                env={
                    # Another time zone than the board's: its clock is right all the same.
                    **os.environ, "TZ": "Asia/Kolkata", "LC_ALL": "C.UTF-8",
                    "ANSIBLE_HOME": str(self.folder / "ansible"),
                    "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.folder / "cp"),
                },
            )  # fmt: skip
        done.stdout = log.read_text().partition("\n")[2]
        with log.open("a") as file:
            file.write(f"{time.monotonic() - began_s:.1f} s\n")
        if check and done.returncode:
            raise RuntimeError(f"{log}\n{done.stdout[-8000:]}")
        done.recap = {
            host: {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", counts)}
            for host, counts in re.findall(r"^(\w+) +: (ok=.*)$", done.stdout, re.MULTILINE)
        }
        done.stdout = " ".join(done.stdout.split())  # YAML breaks lines where it likes.
        return done, done.recap.get(self.name, {})

    def ask(self, path, *options, token=None):
        """Ask over the network, as anybody could; returns status and body."""
        authority = self.folder / "certificate.pem"
        if not authority.exists():
            authority.write_text(self.root("cat /var/lib/edgederm/certificate.pem"))
        header = ["-H", f"Authorization: Bearer {token}"] if token else []
        done = subprocess.run(
            [
            "curl", "--silent", "--show-error", "--max-time", f"{30 * PATIENCE:g}",
            "--cacert", str(authority), "--resolve", f"edgederm-board.local:8000:{self.there}",
            "--write-out", "\n%{http_code}", *header, *options,
            f"https://edgederm-board.local:8000{path}",
            ],
            check=False, capture_output=True, text=True, timeout=120 * PATIENCE,
        )  # fmt: skip
        if done.returncode:  # Also when an answer broke off.
            return 0, done.stderr
        body, _, status = done.stdout.rpartition("\n")
        return int(status), json.loads(body) if body.startswith("{") else body

    def answers(self, token):
        """Whether an upload is answered; also proof that it was kept."""
        status, body = self.upload(token)
        return status == 200 and body["id"] is not None

    def upload(self, token, *options):
        picture = ROOT / "device/samples/1-nevus.jpg"
        return self.ask(
            "/classify", "--data-binary", f"@{picture}", "-H", "Content-Type: image/jpeg",
            *options, token=token,
        )  # fmt: skip

    def wait_for_reboot(self, longest_s):
        """Wait until the board asks to be booted again; it is not."""
        wait_for(lambda: self._nspawn.poll() is not None, longest_s)
        return self._nspawn.returncode == REBOOTS

    def keep_journal(self):
        """Write down what the board has to say, for whoever looks at a failure."""
        with contextlib.suppress(RuntimeError, subprocess.TimeoutExpired):
            for name, script in {
                "journal.txt": "journalctl --no-pager -o short-monotonic",
                "status.txt": "systemctl status edgederm --no-pager --full; systemctl --failed",
                "security.txt": "systemd-analyze security edgederm --no-pager",
            }.items():
                (self.artifacts / f"{self.name}-{name}").write_text(self.root(script, check=False))


def wait_for(is_so, longest_s):
    """Look until it is so; returns after how many seconds, and fails when it takes too long."""
    began_s = time.monotonic()
    while not is_so():
        if time.monotonic() - began_s > longest_s * PATIENCE:
            raise TimeoutError(f"not so within {longest_s * PATIENCE:g} s")
        time.sleep(0.2)
    return time.monotonic() - began_s


def empty_folder(path: Path) -> Path:
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path
