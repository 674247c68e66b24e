"""Who runs the runs: this process, one after the other, or a Ray cluster, side by side."""

from __future__ import annotations

import os
import socket
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rich.console import Console

from device.core.errors import EdgeDermError
from training.ablation.grid import CellRun
from training.errors import DataError, RunError

Work = Callable[[CellRun, int | None], None]
"""
Takes a run and how many threads it may use; None: all that it finds.

For Ray a function that can be imported by name, or a ``partial`` of one.
"""
Outcome = tuple[CellRun, str | None]
"""A run with what went wrong, if something did."""
_PATIENCE_S = 10.0
"""With a cluster that does not answer."""


class Engine(Protocol):
    """Runs all runs, whatever becomes of single ones, and tells of each as it ends."""

    def run(self, runs: Sequence[CellRun], *, provide: Work, train: Work) -> Iterator[Outcome]:
        """
        Run *train* on all *runs*.

        Args:
            runs: To be run.
            provide: Prepares what the runs of a cell share; train does so too if it was not
                done, so that an engine that never runs two at once need not call it.
            train: Does a run.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class InTurn:
    """One after the other, in this process."""

    def run(
        self,
        runs: Sequence[CellRun],
        *,
        provide: Work,  # noqa: ARG002 - a role's signature
        train: Work,
    ) -> Iterator[Outcome]:
        """Run them in order."""
        for number, run in enumerate(runs, start=1):
            _say(f"run {number} of {len(runs)}: {run.name}")
            yield run, attempt(train, run, threads=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class OnRay:
    """
    Side by side, as remote tasks of a Ray cluster that is running.

    Every node needs this source and the data, the cache, the teacher and the folder of the
    ablation under the same paths.  What a node that died leaves unfinished, Ray starts again on
    another one, where it goes on from its last epoch.
    """

    cpus: int
    """That a run takes."""
    gpus: float
    """That a run takes; below one, several share one."""
    address: str
    """Of the cluster; ``auto`` for the one that this machine is part of."""

    def run(self, runs: Sequence[CellRun], *, provide: Work, train: Work) -> Iterator[Outcome]:
        """
        Hand all runs to Ray, which waits for free nodes.

        Raises:
            RunError: Ray is not installed, no cluster is running, or a run fits on no node.
        """
        ray = _import_ray()
        # Nobody is told that it was used.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            _knock(self.address)
            ray.init(address=self.address)
        except OSError as error:
            raise RunError(
                f"--engine ray: expected a running cluster at {self.address!r}, found none; start "
                "one with `ray start --head` on one machine, join the others with `ray start "
                "--address HOST:PORT`, or name another one with --address"
            ) from error
        try:
            self._require_room(ray.nodes())
            yield from self._collect(ray, runs, provide, train)
        finally:
            ray.shutdown()

    def _collect(
        self, ray: Any, runs: Sequence[CellRun], provide: Work, train: Work
    ) -> Iterator[Outcome]:
        task = ray.remote(num_cpus=self.cpus, num_gpus=self.gpus)(_after)
        # Runs wait for what their cell shares, and all cells for the first one, which prepares
        # what the teacher sees: else all would prepare the same pictures at once.
        provided: dict[str, Any] = {}
        waiting = {}
        for run in runs:
            if run.cell not in provided:
                first = list(provided.values())[:1]
                provided[run.cell] = task.options(name=f"pictures of {run.cell}").remote(
                    provide, run, self.cpus, *first
                )
            begun = task.options(name=run.name).remote(train, run, self.cpus, provided[run.cell])
            waiting[begun] = run
        while waiting:
            (done,), _ = ray.wait(list(waiting), num_returns=1)
            run = waiting.pop(done)
            try:
                problem = ray.get(done)
            except ray.exceptions.RayError as error:
                problem = f"{type(error).__name__}: {error}"
            _say(f"{run.name}: {problem or 'done'}; {len(waiting)} of {len(runs)} to go")
            yield run, problem

    def _require_room(self, nodes: Sequence[dict[str, Any]]) -> None:
        """Ray would wait for a node that is large enough without end."""
        offers = [
            (node["Resources"].get("CPU", 0.0), node["Resources"].get("GPU", 0.0))
            for node in nodes
            if node["Alive"]
        ]
        told = ", ".join(f"{cpus:g} CPUs and {gpus:g} GPUs" for cpus, gpus in offers)
        if not any(cpus >= self.cpus and gpus >= self.gpus for cpus, gpus in offers):
            raise RunError(
                f"--engine ray: expected a node with {self.cpus} CPUs and {self.gpus:g} GPUs for "
                f"a run, found {told}; ask for less with --cpus or --gpus"
            )
        _say(f"Ray: {len(offers)} node(s) with {told}; a run takes {self.cpus} CPUs")


def attempt(work: Work, run: CellRun, *, threads: int | None) -> str | None:
    """Do *work* and return what went wrong, in one message; None if nothing did."""
    try:
        work(run, threads)
    except (DataError, EdgeDermError, RunError) as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - a run that fails must not stop the others
        traceback.print_exc(file=sys.stderr)
        return f"{type(error).__name__}: {error}"
    return None


def _after(work: Work, run: CellRun, threads: int, *_earlier: str | None) -> str | None:
    """Attempt *work* when earlier tasks have ended; what went wrong there shows here again."""
    return attempt(work, run, threads=threads)


def _knock(address: str) -> None:
    """Raise OSError if nobody listens at ``HOST:PORT``: Ray itself would knock without end."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=_PATIENCE_S).close()


def _import_ray() -> Any:
    try:
        import ray
    except ModuleNotFoundError as error:
        raise RunError(
            "--engine ray: expected the library ray, found none; install it on every node with "
            "`python -m pip install --require-hashes -r locks/cluster.txt`, or leave --engine out"
        ) from error
    return ray


def _say(text: str) -> None:
    Console(stderr=True).print(text, soft_wrap=True, highlight=False, markup=False)
