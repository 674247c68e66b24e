"""Runs are run whatever becomes of others: in turn, and side by side on a Ray cluster."""

import os
import select
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.training.ablation.runs import a_grid
from training.ablation.engines import InTurn, OnRay
from training.ablation.grid import CellRun, runs_of
from training.errors import RunError

NO_RAY = "the library ray is not installed; make test installs it from locks/cluster.txt"
PATIENCE_S = 300


def some_runs(out: Path, *names: str) -> list[CellRun]:
    return runs_of(a_grid(*names).cells, (1,), out)


def leave_a_mark(run: CellRun, threads: int | None, *, name: str = "trained") -> None:
    """Stands for a training; the cell `wrong` is refused and `broken` breaks."""
    if run.cell == "wrong":
        raise RunError("expected something else")
    if run.cell == "broken":
        raise ValueError("no such thing")
    run.folder.mkdir(parents=True, exist_ok=True)
    (run.folder / name).write_text(str(threads))


provide_a_mark = partial(leave_a_mark, name="provided")


def outcomes(engine, runs, train=leave_a_mark):
    return {
        run.cell: problem for run, problem in engine.run(runs, provide=provide_a_mark, train=train)
    }


def test_in_turn_a_failure_does_not_stop_the_others(tmp_path, capsys):
    runs = some_runs(tmp_path, "wrong", "broken", "last")
    assert outcomes(InTurn(), runs) == {
        "baseline": None,
        "wrong": "expected something else",
        "broken": "ValueError: no such thing",
        "last": None,
    }
    assert (runs[-1].folder / "trained").read_text() == "None"
    printed = capsys.readouterr().err
    assert "run 2 of 4: wrong, seed 1" in printed
    # What is explained needs no traceback, what is not does.
    assert printed.count("Traceback") == 1


def test_in_turn_a_stop_is_a_stop(tmp_path):
    def power_cut(run, threads):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        outcomes(InTurn(), some_runs(tmp_path), train=power_cut)


def test_without_ray_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(RunError, match=r"found none; install it .* -r locks/cluster\.txt"):
        outcomes(OnRay(cpus=1, gpus=0, address="auto"), some_runs(tmp_path))


@pytest.mark.parametrize("address", ["auto", "127.0.0.1:1"])
def test_without_a_cluster_the_remedy_is_named(tmp_path, monkeypatch, address):
    """Ray says so where it looks for a cluster itself; where one is named, it would never end."""

    def nobody(*, address):
        assert address == "auto"
        raise ConnectionError("Could not find any running Ray instance.")

    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(init=nobody))
    with pytest.raises(RunError, match=r"expected a running cluster at .* `ray start --head`"):
        outcomes(OnRay(cpus=1, gpus=0, address=address), some_runs(tmp_path))


@pytest.fixture(scope="module")
def cluster():
    """Two nodes of one CPU each on this machine."""
    pytest.importorskip("ray", reason=NO_RAY)
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("ACCELERATE_USE_CPU", "true")
        node = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
        cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
        cluster.add_node(**node)
        yield cluster
        cluster.shutdown()


def meet_the_other(run: CellRun, threads: int | None) -> None:
    """Return when the run of the other cell is under way too, each on a node of its own."""
    import ray

    leave_a_mark(run, threads)
    (run.folder / "node").write_text(ray.get_runtime_context().get_node_id())
    if run.cell in {"wrong", "broken"}:
        return
    own, other = (
        os.open(run.folder.parents[1] / name, os.O_RDWR)
        for name in (("left", "right") if run.cell == "baseline" else ("right", "left"))
    )
    os.write(other, b"here")
    if not select.select([own], [], [], PATIENCE_S)[0]:
        raise RuntimeError("the other did not come")


@pytest.mark.slow
def test_on_ray_two_nodes_work_side_by_side(cluster, tmp_path):
    """Each run waits for the other: in turn neither would end.  Failures are named."""
    for name in ("left", "right"):
        os.mkfifo(tmp_path / name)
    runs = some_runs(tmp_path, "wrong", "broken", "last")
    engine = OnRay(cpus=1, gpus=0, address=cluster.address)
    assert outcomes(engine, runs, train=meet_the_other) == {
        "baseline": None,
        "wrong": "expected something else",
        "broken": "ValueError: no such thing",
        "last": None,
    }
    good = [run.folder for run in runs if run.cell in {"baseline", "last"}]
    assert len({(folder / "node").read_text() for folder in good}) == 2
    # A run knows how many threads it may use, and its cell was provided for.
    assert {(folder / "trained").read_text() for folder in good} == {"1"}
    assert all((folder / "provided").is_file() for folder in good)


@pytest.mark.slow
def test_on_ray_a_run_that_fits_nowhere_is_refused(cluster, tmp_path):
    """Ray would wait for a larger node for ever."""
    engine = OnRay(cpus=64, gpus=0, address=cluster.address)
    with pytest.raises(RunError, match=r"expected a node with 64 CPUs .* found 1 CPUs"):
        outcomes(engine, some_runs(tmp_path))
