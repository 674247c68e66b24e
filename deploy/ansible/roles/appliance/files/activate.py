#!/usr/bin/python3
"""
Switch the box to a release and settings, see it healthy, and go back by itself if it is not.

    edgederm-activate --release NAME --settings FILE --drop-in FILE
    edgederm-activate --back
    edgederm-activate --again
    edgederm-activate --settle

Runs on the board, so that a connection that breaks leaves no box half switched.  Needs the system's
Python (3.10 or newer) and nothing else.  The last line printed is JSON.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import re
import shutil
import ssl
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

UNIT = "edgederm.service"
_ALWAYS_NEEDED = frozenset({"model", "history"})
"""Parts without which there is no answer; a camera may be missing on the technician's desk."""
_PART = re.compile(r"(?:^|; )(model|camera|history): ")
_ANSWER_S = 10.0
_TRIAL = "on-trial.json"
"""What to go back to, as long as a release is watched; there after a power cut in that time."""
_IN_FORCE = "in-force.sha256"
"""Digest of what the service reads at its start only, as it was when it was started last."""
_READ_AT_THE_START = (
    "etc/systemd/system/edgederm.service",
    "etc/systemd/system/edgederm.service.d/*",
    "etc/edgederm/certificate.pem",
    "etc/edgederm/key.pem",
    "etc/edgederm/tls.pem",
    "etc/edgederm/keys/*",
    "opt/edgederm/current/pyvenv.cfg",
)
_DROP_IN = "box.conf"
_OUR_DROP_INS = (
    _DROP_IN,
    # Those of older versions.
    "clock.conf", "firewall.conf", "jetson.conf", "libcamera.conf", "limits.conf", "reboot.conf",
)  # fmt: skip
"""Others in that folder are the operator's, and stay as they are."""
_READ_ANEW = """
set -e
systemd-sysusers /etc/sysusers.d/edgederm.conf
systemd-tmpfiles --create /etc/tmpfiles.d/edgederm.conf
if command -v udevadm; then
    udevadm control --reload
    udevadm trigger --subsystem-match=gpio --subsystem-match=dma_heap --subsystem-match=rtc
fi || true
systemctl daemon-reload
# The box is started all the same; who deploys is told of it there.
systemctl try-reload-or-restart edgederm-firewall.service || true
"""
"""Before each start, and not where a file is new: a run may have ended in between."""
_KEPT = "kept.json"
"""In the folder of a release: what the box went by when it was seen healthy with it last."""
_KEPT_BY_OLDER = "edgederm.toml"
_AGAIN = "-again"
"""Behind the name of a release that was installed beside one that is damaged."""
_SYSTEM_PACKAGES = re.compile(r"^include-system-site-packages *= *(\w+) *$", re.MULTILINE)
_READ_SETTINGS = """
import json, pathlib, sys
from device.settings import load_settings
server = load_settings(pathlib.Path(sys.argv[1])).server
print(json.dumps({"host": server.host, "port": server.port, "is_secure": server.is_secure}))
"""


class ActivationError(Exception):
    """What did not work; the text says it."""


@dataclass(frozen=True)
class State:
    """
    What a box goes by.

    Attributes:
        release: Folder of the release.
        settings: Text of the settings.
        sees_system: Whether the release may import what the system's packages brought, as some
            cameras need it; None leaves it as it is.
        drop_ins: Our own of the unit, by their names, without which these settings may not work:
            each camera needs doors of its own.  None leaves them as they are.
    """

    release: str
    settings: str
    sees_system: bool | None = None
    drop_ins: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Trial:
    """
    A switch that is not over.

    Attributes:
        before: What to go back to.
        broken: Parts of the box that did not work before; None where nothing ran.
    """

    before: State
    broken: frozenset[str] | None


@dataclass(frozen=True)
class Health:
    """How the service is: what is wrong, and which parts say so themselves."""

    problems: tuple[str, ...]
    parts: frozenset[str]


@dataclass
class Board:
    """
    Where things are, and how they are reached; a test puts others in their place.

    Attributes:
        root: Of the file system.
        run: Runs a command and returns its status and output.
        watch_s: A service that was started must stay as it is for so long; by default a camera
            that hangs is told after 18 s, 13 for opening it and ``camera.timeout_s``.
        sleep: Waits some seconds.
    """

    root: Path = Path("/")
    run: Callable[[Sequence[str]], tuple[int, str]] = field(default_factory=lambda: _run)
    watch_s: float = 20.0
    sleep: Callable[[float], None] = time.sleep

    @property
    def releases(self) -> Path:
        """Folder with one folder for each release."""
        return self.root / "opt/edgederm/releases"

    @property
    def settings(self) -> Path:
        """The settings that the service reads."""
        return self.root / "etc/edgederm/edgederm.toml"

    @property
    def drop_ins(self) -> Path:
        """Folder of what is said of the unit beside itself."""
        return self.root / "etc/systemd/system/edgederm.service.d"

    def link(self, name: str) -> Path:
        """Name the link *current* or *previous*."""
        return self.root / "opt/edgederm" / name

    def linked(self, name: str) -> str | None:
        """Return the release to which a link points, or None."""
        link = self.link(name)
        return link.readlink().name if link.is_symlink() else None

    def show(self) -> dict[str, str]:
        """Ask systemd how the service is."""
        names = "ActiveState,SubState,NRestarts,MainPID,StatusText,Result"
        _, text = self.run(["systemctl", "show", UNIT, f"--property={names}"])
        return dict(line.partition("=")[::2] for line in text.splitlines())


def main(arguments: Sequence[str] | None = None, board: Board | None = None) -> int:
    """Do one thing; returns 0 when the box is as it was asked to be, and healthy."""
    parser = argparse.ArgumentParser(description="Switch the box to a release, or back.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--release", metavar="NAME", help="a folder below /opt/edgederm/releases")
    what.add_argument("--back", action="store_true", help="to the release before")
    what.add_argument("--again", action="store_true", help="start the same one anew")
    what.add_argument(
        "--settle", action="store_true", help="at boot: back from one whose watch was cut short"
    )
    parser.add_argument("--settings", type=Path, metavar="FILE", help="those that are there, else")
    parser.add_argument(
        "--drop-in", type=Path, metavar="FILE", help="of the unit; those that are there, else"
    )
    parser.add_argument(
        "--system-packages", choices=("true", "false"), help="whether the release sees apt's"
    )
    parser.add_argument("--keep", type=int, default=3, metavar="N", help="releases; 3 if not said")
    parser.add_argument("--watch", type=float, default=20.0, metavar="S", help="20 if not said")
    options = parser.parse_args(arguments)
    board = board or Board(watch_s=options.watch)
    os.umask(0o022)
    lock = os.open(board.releases, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if options.back:
            outcome = back(board)
        elif options.again:
            outcome = again(board)
        elif options.settle:
            outcome = settle(board)
        else:
            settings = (options.settings or board.settings).read_text(encoding="utf-8")
            sees = None if options.system_packages is None else options.system_packages == "true"
            drop_ins = None
            if options.drop_in is not None:
                drop_ins = {_DROP_IN: options.drop_in.read_text(encoding="utf-8")}
            outcome = switch(board, State(options.release, settings, sees, drop_ins))
            outcome["pruned"] = prune(board, options.keep)
    except BlockingIOError:
        outcome = {
            "state": "refused",
            "problems": ["another activation or installation is under way"],
        }
    except ActivationError as failed:
        outcome = {"state": "refused", "problems": [str(failed)]}
    finally:
        os.close(lock)
    outcome["current"], outcome["previous"] = board.linked("current"), board.linked("previous")
    print(json.dumps(outcome))
    return 0 if outcome["state"] in {"unchanged", "switched"} else 1


def switch(board: Board, new: State, *, restarts: bool = False) -> dict[str, object]:
    """
    Let the box go by another state, and return to the one before if it is not well.

    Args:
        board: Where.
        new: What it is to go by.
        restarts: Start anew also where nothing differs.

    Raises:
        ActivationError: Nothing was changed, because this release or these settings cannot work.
    """
    address = look_ahead(board, new)
    trial = _read_trial(board)
    if trial is not None:
        # A switch was killed in its watch: nothing says that what runs now is well.
        old: State | None = trial.before
        broken: frozenset[str] | None = trial.broken
    else:
        old = _present(board)
        is_same = (
            old is not None
            and (old.release, old.settings) == (new.release, new.settings)
            and new.sees_system in {None, old.sees_system}
            and new.drop_ins in (None, old.drop_ins)
            and not _not_in_place(board, new.release)
            and _is_in_force(board)
        )
        if is_same and not restarts:
            health = look(board, address)
            if not health.problems and not health.parts & _ALWAYS_NEEDED:
                return {"state": "unchanged", "problems": []}
        seen = look(board, None)
        # A service that is down says nothing of its parts.
        broken = seen.parts if old is not None and not seen.problems else None
    if old is not None:
        _begin_trial(board, Trial(old, broken))
    _put(board, new)
    problems = start(board, address, broken)
    if not problems:
        # A damaged release, beside which it was installed again, is nothing to go back to.
        if old is not None and old.release.removesuffix(_AGAIN) != new.release.removesuffix(_AGAIN):
            _relink(board.link("previous"), Path("releases") / old.release)
        now = {"settings": new.settings, "drop_ins": _drop_ins(board.drop_ins)}
        _write(board.releases / new.release / _KEPT, json.dumps(now))
        _end_trial(board)
        return {"state": "switched", "problems": []}
    journal = board.run(["journalctl", "-u", UNIT, "-n", "40", "-o", "cat", "--no-pager"])[1]
    if old is None:
        board.run(["systemctl", "stop", UNIT])
        board.link("current").unlink(missing_ok=True)
        return {"state": "failed", "problems": problems, "journal": journal.splitlines()}
    _put(board, old)
    _end_trial(board)
    try:
        old_address, unread = look_ahead(board, old), []
    except ActivationError as refused:
        # Started all the same: else what failed would go on running.
        old_address, unread = None, [str(refused)]
    again = [*unread, *start(board, old_address, broken)]
    state = "failed" if again else "returned"
    return {"state": state, "problems": problems + again, "journal": journal.splitlines()}


def back(board: Board) -> dict[str, object]:
    """
    Go to the release before, with the settings and drop-ins that it ran with last.

    While one is on trial, whose watch was cut short, the one before is what ran until then.

    Raises:
        ActivationError: There is none.
    """
    trial = _read_trial(board)
    if trial is not None:
        return switch(board, trial.before, restarts=True)
    previous = board.linked("previous")
    kept = None if previous == board.linked("current") else _kept(board, previous)
    if kept is None:
        raise ActivationError("there is no release before this one; deploy one")
    return switch(board, kept, restarts=True)


def again(board: Board) -> dict[str, object]:
    """
    Start the current release anew, as after a new model, and see it healthy.

    Raises:
        ActivationError: There is none.
    """
    current = board.linked("current")
    if current is None:
        raise ActivationError("there is no release; deploy one")
    settings = board.settings.read_text(encoding="utf-8")
    return switch(board, State(current, settings), restarts=True)


def settle(board: Board) -> dict[str, object]:
    """
    Put back what was there before a switch that the power, or a crash, cut short.

    Run at boot, before the service is started: what was not seen healthy to the end is not kept.
    """
    trial = _read_trial(board)
    if trial is None:
        return {"state": "unchanged", "problems": []}
    given_up = board.linked("current")
    _put(board, trial.before)
    # At a boot systemd has read the unit already.
    board.run(["systemctl", "daemon-reload"])
    _end_trial(board)
    return {"state": "switched", "problems": [f"{given_up} was not watched to the end"]}


def look_ahead(board: Board, state: State) -> str | None:
    """
    Let a release read its settings while another one is still at work.

    Returns:
        Where it will answer; None if the system chooses the port.

    Raises:
        ActivationError: It is not complete, or refuses the settings.
    """
    release = state.release
    folder = board.releases / release
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]*", release) or not folder.is_dir():
        raise ActivationError(
            f"expected a folder in {board.releases}, found none named {release!r}"
        )
    tried = board.settings.with_name(".edgederm.toml.tried")
    _write(tried, state.settings)
    try:
        status, text = board.run(
            [str(folder / "bin/python"), "-I", "-c", _READ_SETTINGS, str(tried)]
        )
    finally:
        tried.unlink()
    if status:
        raise ActivationError(f"release {release} refuses its settings: {text.strip()[-1000:]}")
    server = json.loads(text.splitlines()[-1])
    if server["port"] == 0:
        return None
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(server["host"], server["host"])  # noqa: S104 - only compared
    if ":" in host:
        host = f"[{host}]"
    return f"http{'s' if server['is_secure'] else ''}://{host}:{server['port']}/healthz"


def start(board: Board, address: str | None, broken: frozenset[str] | None) -> list[str]:
    """
    Start the service anew, and watch whether it stays; returns what is wrong.

    Args:
        board: Where.
        address: Where it must answer.
        broken: Parts that did not work before and so are not this release's fault; None where
            nothing ran, and a camera may still be missing.
    """
    status, text = board.run(["sh", "-c", _READ_ANEW])
    if status:
        return [f"its user, folders or units cannot be had: {text.strip()}"]
    board.run(["systemctl", "reset-failed", UNIT])
    digest = _digest(board)
    status, text = board.run(["systemctl", "restart", UNIT])
    if status:
        return [f"it does not start: {text.strip()}"]
    _write(board.link(_IN_FORCE), digest)
    first = board.show()
    board.sleep(board.watch_s)
    last = board.show()
    if (first.get("MainPID"), first.get("NRestarts")) != (
        last.get("MainPID"), last.get("NRestarts"),
    ):  # fmt: skip
        return [f"it did not stay up for {board.watch_s:g} s ({last.get('Result')})"]
    health = look(board, address)
    blamed = health.parts - (broken or frozenset())
    if broken is None:
        blamed &= _ALWAYS_NEEDED
    return [*health.problems, *(f"{part} does not work any more" for part in sorted(blamed))]


def look(board: Board, address: str | None) -> Health:
    """See how the service is; without an *address* as far as systemd knows."""
    state = board.show()
    problems = []
    if state.get("ActiveState") != "active":
        problems.append(f"the service is {state.get('ActiveState')} ({state.get('Result')})")
    elif address is not None:
        try:
            # The box's own certificate is nobody's business on the way to itself.
            context = ssl._create_unverified_context() if address[4] == "s" else None  # noqa: S323, SLF001 - see above
            opener = urllib.request.build_opener(
                # Not by way of a proxy that the environment names: it does not know the box.
                urllib.request.ProxyHandler({}),
                urllib.request.HTTPSHandler(context=context),
            )
            with opener.open(address, timeout=_ANSWER_S) as answer:
                answer.read()
        except (OSError, urllib.error.URLError) as error:
            problems.append(f"{address} does not answer: {error}")
    return Health(tuple(problems), frozenset(_PART.findall(state.get("StatusText", ""))))


def prune(board: Board, keep: int) -> list[str]:
    """
    Remove what is not a whole release, and the oldest of those that are; returns their names.

    Never the current one or the one before.
    """
    needed = {board.linked("current"), board.linked("previous")}
    others = [each for each in board.releases.iterdir() if each.is_dir()]
    others = [each for each in others if each.name not in needed]
    whole = [each for each in others if (each / "release.json").exists()]
    whole.sort(key=lambda each: each.stat().st_mtime, reverse=True)
    surplus = [each for each in others if each not in whole]
    surplus += whole[max(0, keep - len(needed - {None})) :]
    for each in surplus:
        shutil.rmtree(each)
    return sorted(each.name for each in surplus)


def _put(board: Board, state: State) -> None:
    """
    Let the box go by a state from the next start on.

    The link last: it is what the service follows to its code, and switches at once.
    """
    for path, content in _not_in_place(board, state.release).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, content)
    if state.drop_ins is not None:
        board.drop_ins.mkdir(parents=True, exist_ok=True)
        there = _drop_ins(board.drop_ins)
        for name, text in state.drop_ins.items():
            if there.get(name) != text:
                _write(board.drop_ins / name, text)
        for name in there.keys() - state.drop_ins.keys():
            (board.drop_ins / name).unlink()
        _sync(board.drop_ins)
    _write(board.settings, state.settings)
    said = _sees_system(board, state.release)
    # None: nobody asks for either, or the release does not say it, or is not there any more.
    if None not in {state.sees_system, said} and state.sees_system != said:
        path = board.releases / state.release / "pyvenv.cfg"
        line = f"include-system-site-packages = {str(state.sees_system).lower()}"
        _write(path, _SYSTEM_PACKAGES.sub(line, path.read_text(encoding="utf-8")))
    _relink(board.link("current"), Path("releases") / state.release)


def _not_in_place(board: Board, release: str) -> dict[Path, bytes]:
    """
    Return what a release has of units and rules and the board has not, by where it belongs.

    Nor has it what others may write.

    Of an older version's release nothing: its units came with its deployment.
    """
    folder = board.releases / release / "board"
    found = {}
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            place, content = board.root / file.relative_to(folder), file.read_bytes()
            is_ours = place.is_file() and (place.stat().st_mode, place.stat().st_uid) == (
                stat.S_IFREG | 0o644, os.geteuid(),
            )  # fmt: skip
            if not is_ours or place.read_bytes() != content:
                found[place] = content
    return found


def _present(board: Board) -> State | None:
    """Return what the box goes by now; None if nothing was ever seen healthy."""
    release = board.linked("current")
    if release is None or not board.settings.exists():
        return None
    return State(
        release,
        board.settings.read_text("utf-8", "replace"),
        _sees_system(board, release),
        _drop_ins(board.drop_ins),
    )


def _kept(board: Board, release: str | None) -> State | None:
    """
    Return what the box went by when it was seen healthy with a release last.

    None if it never was, or if a worn card took it.
    """
    if release is None:
        return None
    folder = board.releases / release
    try:
        kept = json.loads((folder / _KEPT).read_text(encoding="utf-8"))
        return State(release, str(kept["settings"]), drop_ins=_texts(kept["drop_ins"]))
    except (AttributeError, KeyError, OSError, TypeError, ValueError):
        pass
    try:
        return State(release, (folder / _KEPT_BY_OLDER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _drop_ins(folder: Path) -> dict[str, str]:
    """Return our drop-ins that are in a folder, by name."""
    files = (folder / name for name in _OUR_DROP_INS)
    # What a worn card made of one differs from what is wanted, and is written anew.
    return {file.name: file.read_text("utf-8", "replace") for file in files if file.is_file()}


def _texts(found: Mapping[object, object]) -> dict[str, str]:
    return {str(name): str(text) for name, text in found.items()}


def _sees_system(board: Board, release: str) -> bool | None:
    """Return whether a release may import the system's packages; None if it does not say so."""
    path = board.releases / release / "pyvenv.cfg"
    said = _SYSTEM_PACKAGES.search(path.read_text(encoding="utf-8")) if path.exists() else None
    return said[1].lower() == "true" if said else None


def _digest(board: Board) -> str:
    """Return one digest of all files that the service reads at its start only."""
    found = hashlib.sha256()
    for pattern in _READ_AT_THE_START:
        for path in sorted(board.root.glob(pattern)):
            if path.is_file():
                content = path.read_bytes()
                found.update(f"{path.relative_to(board.root)} {len(content)}\n".encode())
                found.update(content)
    return found.hexdigest()


def _is_in_force(board: Board) -> bool:
    """Return whether the service was started with the files that are there."""
    try:
        return board.link(_IN_FORCE).read_text(encoding="utf-8") == _digest(board)
    except FileNotFoundError:
        return False


def _begin_trial(board: Board, trial: Trial) -> None:
    broken = None if trial.broken is None else sorted(trial.broken)
    text = json.dumps({**asdict(trial.before), "broken": broken})
    _write(board.link(_TRIAL), text, mode=0o600)


def _read_trial(board: Board) -> Trial | None:
    """
    Return what to go back to, if a switch is not over.

    A file that says nothing, as a worn card may leave it, is removed: else no boot and no
    deployment would get past it.
    """
    try:
        kept = json.loads(board.link(_TRIAL).read_text(encoding="utf-8"))
        # Older versions kept less, and called it otherwise.
        broken = kept.get("broken", kept.get("parts", ()))
        drop_ins = kept.get("drop_ins")
        before = State(
            release=str(kept["release"]),
            settings=str(kept["settings"]),
            sees_system=kept.get("sees_system"),
            drop_ins=None if drop_ins is None else _texts(drop_ins),
        )
        return Trial(before, None if broken is None else frozenset(map(str, broken)))
    except FileNotFoundError:
        return None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        print(f"{board.link(_TRIAL)} is removed: it cannot be read: {error!r}", file=sys.stderr)
        _end_trial(board)
        return None


def _end_trial(board: Board) -> None:
    board.link(_TRIAL).unlink(missing_ok=True)
    _sync(board.link(_TRIAL).parent)


def _write(path: Path, content: str | bytes, *, mode: int = 0o644) -> None:
    """Write a file whole or not at all, also when the power goes."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    with unfinished.open("wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())
    unfinished.replace(path)
    _sync(path.parent)


def _relink(link: Path, target: Path) -> None:
    """Point a link elsewhere at once; there is never none."""
    unfinished = link.with_name(f".{link.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    unfinished.symlink_to(target)
    unfinished.replace(link)
    _sync(link.parent)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _run(command: Sequence[str]) -> tuple[int, str]:
    done = subprocess.run(
        command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return done.returncode, done.stdout


if __name__ == "__main__":
    sys.exit(main())
