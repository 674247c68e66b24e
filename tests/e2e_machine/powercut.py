"""
Cut the power, again and again, and look what is left.

Run by ``run.sh`` (``make e2e-powercut``).  On one machine at random moments while pictures are
answered, each cut followed by a cold boot of the same disk; on another, at the same time, before
each step of a model's installation and of the start that tries it.  Killing QEMU takes the guest's
memory away at once, and with it all that was not yet written to its disk: what a card does that
lies about its own writes is not shown.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

from device.compose_model import open_models
from device.settings import ModelSettings
from device.updates.record import FILE_NAME
from tests.bundles import a_real_bundle, newer, shipped
from tests.e2e.board import PATIENCE, ROOT, call, empty_folder, wait_for
from tests.e2e_machine.deployment import Deployment, measured, rows
from tests.e2e_machine.machine import SNAPSHOT, Machine
from tests.measured import sources

ARTIFACTS = ROOT / "var/e2e-powercut"
FOUND = "found.json"
KEPT = ROOT / "var/e2e-powercut-deployed"
"""A machine on which the box was deployed, for the next run with the same release and image."""
CAPTURES, UPDATES = HALVES = ("captures", "model update")
CONFIDENCE = 0.95
STATE = "/var/lib/edgederm"
UNDER_WAY = "under way"
FEWEST_STEPS = 4
"""Of an installation and of a start on trial: each writes a record and switches it."""
COLD_BOOTED_STEPS = 3
"""Of the cuts in an update so many are followed by a boot, the others looked into from outside."""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cuts", type=int, default=20, help="under a capture load")
    parser.add_argument(
        "--every", type=int, default=1, help="of the steps of an update, cut this one"
    )
    parser.add_argument("--only", choices=HALVES, help="of the two halves, this one")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--results", type=Path)
    options = parser.parse_args()
    image = Path(os.environ["EDGEDERM_E2E_IMAGE"])
    found = {"command": "make e2e-powercut", **sources(), "seed": options.seed}
    empty_folder(artifacts_of(options.only) if options.only else ARTIFACTS)
    began_s = time.monotonic()
    deployed = deploy(image)
    found["deployed"] = round(time.monotonic() - began_s, 1)
    if options.only:
        parts = {options.only: cut(options, image, deployed)}
    else:
        parts = both_at_once(options)
        (ARTIFACTS / FOUND).write_text(measured(found | parts))
    found |= parts
    print(measured(found))
    missed = any(part["missed"] for part in parts.values())
    if options.results and not missed:
        options.results.write_text(measured(found))
    return 1 if missed else 0


def both_at_once(options):
    """
    Run the halves side by side, each in a network of its own; returns what they saw, by name.

    A machine has one processor, and its address is that under which the box was deployed.
    """
    command = [sys.executable, "-m", "tests.e2e_machine.powercut", f"--seed={options.seed}"]
    command += [f"--cuts={options.cuts}", f"--every={options.every}"]
    halves = {
        name: subprocess.Popen(["unshare", "--net", *command, f"--only={name}"]) for name in HALVES
    }
    for half in halves.values():
        half.wait()
    parts = {}
    for name in halves:
        path = artifacts_of(name) / FOUND
        parts[name] = (
            json.loads(path.read_text())
            if path.exists()
            else {"missed": [f"{name}: broke off, see what it printed"]}
        )
    return parts


def cut(options, image, deployed):
    """Do one half; returns what was seen, and leaves it among the artifacts."""
    began_s = time.monotonic()
    if options.only == CAPTURES:
        chance = random.Random(options.seed)  # noqa: S311 - moments, no secrets
        seen = cut_captures(image, deployed, options.cuts, chance)
    else:
        seen = cut_updates(image, deployed, options.every)
    seen["whole"] = round(time.monotonic() - began_s, 1)
    (artifacts_of(options.only) / FOUND).write_text(json.dumps(seen))
    return seen


def artifacts_of(half):
    """Return the folder of what a half leaves."""
    return ARTIFACTS / half.replace(" ", "-")


# ------------------------------------------------------------------------------------- before


def deploy(image):
    """Return a folder with the disk of a machine on which the box runs, its keys and its token."""
    stamp = f"{image.name} {os.environ['EDGEDERM_E2E_RELEASE']}\n"
    if (KEPT / "stamp").exists() and (KEPT / "stamp").read_text() == stamp:
        return KEPT
    empty_folder(KEPT)
    machine = Machine(KEPT, ARTIFACTS, image)
    try:
        machine.start()
        machine.let_in()
        deployment = Deployment(machine)
        deployment.bring()
        machine.put(ROOT / "tests/e2e_machine/guest", "/srv/tools")
        if not machine.answers(deployment.token):
            raise RuntimeError("the box does not answer after its deployment")
        (KEPT / "token").write_text(deployment.token)
        machine.stop()
    finally:
        machine.cut()
    (KEPT / "stamp").write_text(stamp)
    return KEPT


def machine_of(image, deployed, half):
    """Return a machine with a disk of its own above the deployed one."""
    artifacts = artifacts_of(half)
    folder = empty_folder(artifacts / "machine")
    for one in ("key", "key.pub", "known_hosts", "certificate.pem"):
        shutil.copy(deployed / one, folder / one)
    # One processor: with two, an emulator on a busy machine is seen to let the guest's kernel run
    # into code that the other one is just changing, and it dies of that in one cold boot of many.
    return Machine(folder, artifacts, image, base=deployed / "disk.qcow2", processors=1)


# ----------------------------------------------------------------------------------- captures


def cut_captures(image, deployed, cuts, chance):
    """Cut the power while pictures are answered; returns what was seen."""
    machine = machine_of(image, deployed, CAPTURES)
    token = (deployed / "token").read_text()
    answered, lost, boots, missed = set(), set(), [], []
    made = failed = corrupt = 0
    try:
        for number in range(cuts + 1):
            try:
                took_s = machine.start()
                wait_for(lambda: machine.answers(token), 120)
            except (TimeoutError, RuntimeError) as error:
                failed += 1
                missed.append(f"no boot after cut {number}: {error}")
                break
            boots.append(took_s)
            kept = {row["id"] for row in rows(machine, token)}
            lost |= answered - kept
            corrupt += was_moved_aside(machine) or not is_whole(machine)
            if number < cuts:
                answered |= load(machine, token, chance.uniform(1, 8) * PATIENCE)
                made += 1
                print(f"cut {made}: {len(answered)} answers, {len(lost)} lost", flush=True)
        if not missed:
            machine.keep_journal()
            machine.stop()
    finally:
        machine.cut()
    missed += [f"{len(lost)} answers lost"] if lost else []
    missed += [f"{corrupt} corrupt databases"] if corrupt else []
    missed += [f"only {len(answered)} answers"] if len(answered) < made else []
    return {
        "cuts": made,
        "answers": len(answered),
        "lost": len(lost),
        "failed boots": failed,
        "corrupt databases": corrupt,
        "boot, median": sorted(boots)[len(boots) // 2] if boots else None,
        "upper 95 % limit of a cut that harms": upper_limit(made) if not missed else None,
        "upper 95 % limit of an answer that is lost": upper_limit(len(answered))
        if not lost
        else None,
        "missed": missed,
    }


def load(machine, token, seconds):
    """Have pictures answered without a pause, and cut; returns the ids of the answers that came."""
    seen, over = [], threading.Event()

    def ask(how):
        while not over.is_set():
            status, body = how()
            if status == 200 and body["id"] is not None:
                seen.append(body["id"])

    ways = (lambda: machine.upload(token), lambda: machine.ask("/classify", token=token))
    asking = [threading.Thread(target=ask, args=(way,), daemon=True) for way in ways]
    for one in asking:
        one.start()
    wait_for(lambda: seen, 60)
    time.sleep(seconds)
    machine.cut()
    over.set()
    for one in asking:
        one.join(60 * PATIENCE)
    return set(seen)


def was_moved_aside(machine):
    """Whether the box found its history damaged since the boot; what is there now is a new one."""
    told = machine.root("journalctl --unit edgederm --boot --output cat --no-pager")
    return "event=history.damaged" in told


def is_whole(machine):
    """Whether SQLite finds nothing wrong with the history that the box goes on with."""
    check = (
        'import sqlite3; print(sqlite3.connect("/var/lib/edgederm/history.sqlite")'
        '.execute("pragma integrity_check").fetchone()[0])'
    )
    script = (
        f"setpriv --reuid edgederm --regid edgederm --clear-groups /usr/bin/python3 -c '{check}'"
    )
    return machine.root(script).strip() == "ok"


def upper_limit(trials):
    """Return the highest rate at which so many trials without a failure are not too lucky."""
    return round(1 - (1 - CONFIDENCE) ** (1 / trials), 5) if trials else 1.0


# ------------------------------------------------------------------------------ model updates


def cut_updates(image, deployed, every):
    """Cut before each step of an update, and after it; returns what was seen."""
    machine = machine_of(image, deployed, UPDATES)
    old, new = newer(1), newer(2)
    found = {"steps": {}, "models after": {}, "missed": []}
    try:
        machine.start()
        wait_for(
            lambda: machine.root("systemctl is-active edgederm", check=False) == "active\n", 120
        )
        for name, version in (("old", old), ("new", new)):
            machine.put_bytes(a_real_bundle(version), f"/srv/{name}.edm")
        machine.root("edgederm model install /srv/old.edm; systemctl restart edgederm")
        # Its trial over, as after ten minutes in which it worked.
        record = f"{STATE}/models/{FILE_NAME}"
        machine.root(
            "systemctl stop edgederm && "
            f'sed -i \'s/"trial": "[a-z]*"/"trial": null/\' {record} && '
            f"grep -q '\"trial\": null' {record} && sync"
        )
        install(machine, "installation", "model install /srv/new.edm", {old, new}, every, found)
        machine.root("edgederm model install /srv/new.edm; sync")
        install(machine, "start on trial", "serve", {old, new}, every, found)
    finally:
        machine.cut()
    count = sum(found["steps"].values())
    return {"cuts": count, **found, "upper 95 % limit of a cut that harms": upper_limit(count)}


def install(machine, what, verb, allowed, every, found):
    """Cut before every step of one verb, each time from the same snapshot."""
    machine.tell_monitor(f"savevm {SNAPSHOT}", 120)
    machine.cut()
    saved = machine.disk.with_name("saved.qcow2")
    machine.disk.replace(saved)
    seen, step = Counter(), 0
    while True:
        shutil.copy(saved, machine.disk)
        machine.start(snapshot=SNAPSHOT)
        line = run_to(machine, step, verb)
        # A verb that ends says so; a box that serves does not, and answers.
        is_stuck = line == UNDER_WAY and not (verb == "serve" and answers(machine))
        machine.cut()
        if is_stuck:
            found["missed"].append(f"{what}, step {step}: neither reached nor passed in time")
            break
        version = look_into(machine)
        print(f"{what}: {line}: {version}", flush=True)
        seen[version] += 1
        if version not in allowed:
            found["missed"].append(f"{what}, {line}: {version}")
        is_over = line.startswith(("done", UNDER_WAY))
        # Never the snapshot again: it would take the disk back to before the cut.
        if (is_over or step < COLD_BOOTED_STEPS) and (cold := boot(machine)) not in allowed:
            found["missed"].append(f"{what}, {line}, booted: {cold}")
        if is_over:
            break
        step += every
    found["steps"][what] = sum(seen.values())
    found["models after"][what] = dict(seen)
    if step < FEWEST_STEPS:
        found["missed"].append(f"{what}: expected {FEWEST_STEPS} steps at least, found {step}")
    if what == "installation" and set(seen) != allowed:
        found["missed"].append(
            f"{what}: expected cuts before and after it counts, found {dict(seen)}"
        )
    shutil.copy(saved, machine.disk)
    machine.start(snapshot=SNAPSHOT)


def run_to(machine, step, verb):
    """Run a verb up to one of its steps; returns what it said when it stood still, or was over."""
    name, _, rest = verb.partition(" ")
    process = machine.begin(
        f"cd /opt/edgederm; exec env STATE_DIRECTORY={STATE} PYTHONSAFEPATH=1 "
        "setpriv --reuid edgederm --regid edgederm --init-groups "
        f"current/bin/python /srv/tools/stepping.py {step} {name} "
        f"--settings /etc/edgederm/edgederm.toml {rest}"
    )
    said, over = [], threading.Event()

    def read():
        for line in process.stdout:
            if line.startswith(("step", "done")):
                said.append(line.strip())
                break
        over.set()

    threading.Thread(target=read, daemon=True).start()
    # A box that serves has no end: when it answers, it stood nowhere.
    with contextlib.suppress(TimeoutError):
        wait_for(lambda: over.is_set() or (name == "serve" and answers(machine)), 90)
    process.kill()
    return said[0] if said else UNDER_WAY


def answers(machine):
    """Whether the box answers."""
    return machine.answers((KEPT / "token").read_text())


def look_into(machine):
    """Mend the disk as a boot would, and return the version of the model that would answer."""
    raw, state = machine.folder / "disk.raw", empty_folder(machine.folder / "state")
    call("qemu-img", "convert", "-O", "raw", machine.disk, raw)
    done = subprocess.run(["e2fsck", "-fy", raw], check=False, capture_output=True, text=True)
    if done.returncode > 1:  # 1: mended.
        return f"a file system that e2fsck does not mend: {done.stdout[-300:]}"
    call("debugfs", "-R", f"rdump {STATE}/models {state}", raw)
    call("debugfs", "-R", f"rdump /etc/edgederm/keys {state}", raw)
    for name in ("history.sqlite", "history.sqlite-wal"):
        call("debugfs", "-R", f"dump {STATE}/{name} {state}/{name}", raw)
    raw.unlink()
    for one in (state, *state.rglob("*")):
        os.chown(one, os.geteuid(), os.getegid())
    with sqlite3.connect(state / "history.sqlite") as database:
        if database.execute("pragma integrity_check").fetchone() != ("ok",):
            return "a corrupt history"
    models = open_models(ModelSettings(state_path=state, keys_path=state / "keys"))
    first = next(iter(models.candidates()))
    return first.entry.version if first.entry else f"shipped {shipped().manifest.version}"


def boot(machine):
    """Boot the disk after a cut; returns which model answers."""
    token = (KEPT / "token").read_text()
    try:
        machine.start()
        wait_for(lambda: machine.answers(token), 120)
        return machine.upload(token)[1]["model"]["version"]
    except (TimeoutError, RuntimeError) as error:
        return f"no boot: {error}"
    finally:
        machine.cut()


if __name__ == "__main__":
    sys.exit(main())
