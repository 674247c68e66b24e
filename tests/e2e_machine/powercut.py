"""
Cut the power, again and again, and look what is left.

Run by ``run.sh`` (``make e2e-powercut``).  At random moments while pictures are answered, each cut
followed by a cold boot of the same disk; and before each step of a model's installation and of the
start that tries it.  Two machines share that.  Killing QEMU takes the guest's memory away at once,
and with it all that was not yet written to its disk: what a card does that lies about its own
writes is not shown.
"""

import argparse
import contextlib
import hashlib
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
from tests.e2e_machine.side_by_side import side_by_side
from tests.measured import sources

ARTIFACTS = ROOT / "var/e2e-powercut"
TAKEN = ARTIFACTS / "taken"
"""A file for each cut under load that a machine has taken."""
FOUND = "found.json"
KEPT = ROOT / "var/e2e-powercut-deployed"
"""A machine on which the box was deployed, for the next run with the same release and image."""
CAPTURES, UPDATES = PARTS = ("captures", "model update")
PLANS = {"first": (CAPTURES,), "second": (UPDATES, CAPTURES)}
"""What two machines do side by side; of the cuts under load each takes the next that is left."""
CONFIDENCE = 0.95
ANSWERED_S = 4
"""Within which a picture is answered under load, before patience."""
COUNTED = ("cuts", "answers", "lost", "failed boots", "corrupt databases")
"""Of the cuts under load, by each machine."""
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
    parser.add_argument("--only", choices=PARTS, help="of the two parts, this one")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--results", type=Path)
    parser.add_argument("--plan", choices=PLANS, help=argparse.SUPPRESS)  # Of one machine.
    options = parser.parse_args()
    if options.only and options.results:
        parser.error("results are kept of both parts, not of one: leave out --only or --results")
    if options.plan:
        for part in parts_of(options.plan, options.only):
            do(part, options)
        return 0
    found = {"command": "make e2e-powercut", **sources(), "seed": options.seed}
    empty_folder(ARTIFACTS)
    empty_folder(TAKEN)
    began_s = time.monotonic()
    deploy()
    found["deployed"] = round(time.monotonic() - began_s, 1)
    parts = both_at_once(options)
    found |= parts
    text = measured(found)
    (ARTIFACTS / FOUND).write_text(text)
    print(text)
    missed = any(part["missed"] for part in parts.values())
    if options.results and not missed:
        options.results.write_text(text)
    return 1 if missed else 0


def image():
    """Return the folder that ``image.sh`` made."""
    return Path(os.environ["EDGEDERM_E2E_IMAGE"])


def parts_of(plan, only):
    """Return the parts that a machine does, one after the other."""
    return [part for part in PLANS[plan] if only in (None, part)]


def artifacts_of(plan, part):
    """Return the folder of what a machine leaves of a part."""
    return ARTIFACTS / f"{part.replace(' ', '-')}-{plan}"


def both_at_once(options):
    """Run both machines side by side; returns what they saw, by part."""
    command = [sys.executable, "-m", "tests.e2e_machine.powercut", f"--seed={options.seed}"]
    command += [f"--cuts={options.cuts}", f"--every={options.every}"]
    command += [f"--only={options.only}"] if options.only else []
    plans = {plan: parts for plan in PLANS if (parts := parts_of(plan, options.only))}
    side_by_side({plan: [*command, f"--plan={plan}"] for plan in plans}, {})
    seen = {part: [] for part in PARTS if options.only in (None, part)}
    for plan, parts in plans.items():
        for part in parts:
            path = artifacts_of(plan, part) / FOUND
            broke_off = {"missed": [f"the {plan} machine broke off, see what it printed"]}
            seen[part].append(json.loads(path.read_text()) if path.exists() else broke_off)
    return {
        part: summed(ones, options.cuts) if part == CAPTURES else ones[0]
        for part, ones in seen.items()
    }


def do(part, options):
    """Do one part on one machine, and leave what was seen among its artifacts."""
    began_s = time.monotonic()
    artifacts = empty_folder(artifacts_of(options.plan, part))
    machine = machine_of(artifacts)
    if part == CAPTURES:
        chance = random.Random(f"{options.seed} {options.plan}")  # noqa: S311 - moments, no secrets
        seen = cut_captures(machine, options.cuts, chance)
    else:
        seen = cut_updates(machine, options.every)
    seen["whole"] = round(time.monotonic() - began_s, 1)
    (artifacts / FOUND).write_text(json.dumps(seen))


# ------------------------------------------------------------------------------------- before


def deploy():
    """Have the disk of a machine on which the box runs, its keys and its token."""
    # All that comes to be on the disk: also what the playbook brings as it lies here.
    brought = hashlib.sha256()
    for folder in ("systemd", "deploy/ansible", "tests/e2e_machine/guest"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file():
                brought.update(f"{path.relative_to(ROOT)} {path.stat().st_size}\n".encode())
                brought.update(path.read_bytes())
    release = os.environ["EDGEDERM_E2E_RELEASE"]
    stamp = f"{image().name} {release} {brought.hexdigest()}\n"
    if (KEPT / "stamp").exists() and (KEPT / "stamp").read_text() == stamp:
        return
    empty_folder(KEPT)
    machine = Machine(KEPT, ARTIFACTS, image())
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


def machine_of(artifacts):
    """Return a machine with a disk of its own above the deployed one."""
    folder = empty_folder(artifacts / "machine")
    for one in ("key", "key.pub", "known_hosts", "certificate.pem"):
        shutil.copy(KEPT / one, folder / one)
    return Machine(folder, artifacts, image(), base=KEPT / "disk.qcow2")


def token():
    """Return what the deployment showed."""
    return (KEPT / "token").read_text()


# ----------------------------------------------------------------------------------- captures


def next_cut(cuts):
    """Take the next cut that no machine has taken yet; returns its number, None if all are."""
    for number in range(1, cuts + 1):
        with contextlib.suppress(FileExistsError):
            (TAKEN / str(number)).touch(exist_ok=False)
            return number
    return None


def cut_captures(machine, cuts, chance):
    """Cut the power while pictures are answered, as often as is left; returns what was seen."""
    seen = dict.fromkeys(COUNTED, 0)
    answered, lost, boots, missed = set(), set(), [], []
    number = next_cut(cuts)
    is_over = number is None
    try:
        while not is_over:
            try:
                took_s = machine.start()
                wait_for(lambda: answers(machine), 120)
            except (TimeoutError, RuntimeError) as error:
                seen["failed boots"] += 1
                missed.append(f"no boot after {seen['cuts']} cuts of this machine: {error}")
                break
            boots.append(took_s)
            lost |= answered - {row["id"] for row in rows(machine, token())}
            seen["corrupt databases"] += was_moved_aside(machine) or not is_whole(machine)
            if is_over := number is None:
                machine.keep_journal()
                machine.stop()
            else:
                answered |= load(machine, token(), chance.uniform(1, 8) * PATIENCE)
                seen["cuts"] += 1
                print(
                    f"cut {number}; of this machine: {len(answered)} answers, {len(lost)} lost",
                    flush=True,
                )
                number = next_cut(cuts)
    finally:
        machine.cut()
    return {**seen, "answers": len(answered), "lost": len(lost), "boots": boots, "missed": missed}


def summed(ones, cuts):
    """Put together what all machines saw of the cuts under load."""
    seen = {name: sum(one.get(name, 0) for one in ones) for name in COUNTED}
    bars = {
        f"{seen['lost']} answers lost": seen["lost"] == 0,
        f"{seen['corrupt databases']} corrupt databases": seen["corrupt databases"] == 0,
        f"only {seen['cuts']} cuts": seen["cuts"] >= cuts,
        f"only {seen['answers']} answers": seen["answers"] >= seen["cuts"],
    }
    missed = [miss for one in ones for miss in one["missed"]]
    missed += [text for text, is_met in bars.items() if not is_met]
    boots = sorted(boot for one in ones for boot in one.get("boots", ()))
    return {
        **seen,
        "boots": len(boots),
        "boot, median": boots[len(boots) // 2] if boots else None,
        "upper 95 % limit of a cut that harms": upper_limit(seen["cuts"]) if not missed else None,
        "upper 95 % limit of an answer that is lost": upper_limit(seen["answers"])
        if not seen["lost"]
        else None,
        "whole": max((one.get("whole", 0) for one in ones), default=0),
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

    # Who asks when the power goes hears nothing more, not even that there is nobody.
    patient = ("--max-time", f"{ANSWERED_S * PATIENCE:g}")
    ways = (
        lambda: machine.upload(token, *patient),
        lambda: machine.ask("/classify", *patient, token=token),
    )
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


def cut_updates(machine, every):
    """Cut before each step of an update, and after it; returns what was seen."""
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
    return machine.answers(token())


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
    try:
        machine.start()
        wait_for(lambda: answers(machine), 120)
        return machine.upload(token())[1]["model"]["version"]
    except (TimeoutError, RuntimeError) as error:
        return f"no boot: {error}"
    finally:
        machine.cut()


if __name__ == "__main__":
    sys.exit(main())
