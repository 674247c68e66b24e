"""A training in two processes, which torch starts."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ONE_OF_TWO = """
import os
import sys
from pathlib import Path
from accelerate import Accelerator
from tests.training.small import load_part
from tests.training.test_loop import SPREAD_CONFIG
from tests.training.test_teacher_stages import FUSED_CONFIG
from training.loop import train
from training.teacher_stages import train_teacher

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    parts = [load_part(folder / f"{{name}}.npz") for name in ("train", "validation")]
    (folder / "rank{{RANK}}_of_{{WORLD_SIZE}}".format_map(os.environ)).touch()
    {line}
    Accelerator().end_training()
"""


def in_two_processes(line: str, folder: Path) -> None:
    """
    Run *line* on the parts kept in *folder*, in two processes that torch starts.

    ``accelerate launch --cpu`` starts one process whatever number it is given, unless there is
    MPI, and says nothing about it.
    """
    script = folder / "one_of_two.py"
    script.write_text(ONE_OF_TWO.format(line=line))
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")
    done = subprocess.run(
        [sys.executable, *launcher, str(script), str(folder)],
        cwd=ROOT,
        env={
            **os.environ,
            "ACCELERATE_USE_CPU": "true",
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-4000:]
