"""Machines that run at once, each of which believes itself alone."""

import contextlib
import subprocess


def side_by_side(commands, logs):
    """
    Run commands at once, each in a network of its own: all machines have one address.

    Args:
        commands: By name.
        logs: Where one writes what it has to say, by name; those not named use the terminal.

    Returns:
        Their exit statuses, by name.
    """
    with contextlib.ExitStack() as stack:
        running = {}
        for name, command in commands.items():
            log = stack.enter_context(logs[name].open("w")) if name in logs else None
            running[name] = subprocess.Popen(
                ["unshare", "--net", *map(str, command)], stdout=log, stderr=log
            )
        return {name: one.wait() for name, one in running.items()}
