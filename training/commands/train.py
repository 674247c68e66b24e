"""Train the network of a recipe: readers, split, cache, teacher and loop composed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from accelerate import Accelerator, InitProcessGroupKwargs

from training.commands.evaluate import evaluate_run
from training.cpu import keep_memory
from training.data.dataset import PreparedPart
from training.data.protocols import PAPER
from training.data.provenance import describe_data
from training.data.splits import CALIBRATION, TRAIN, VALIDATION
from training.errors import RunError
from training.evaluate.report import Evaluation
from training.loop import train
from training.models import load_best
from training.models.weights import SUFFIXES
from training.recipes import require_recipe
from training.runs import (
    DataConfig,
    DistillationConfig,
    RunConfig,
    TeacherConfig,
    finished_epochs,
    load_config,
    planned_epochs,
    require_run,
)
from training.source import Pictures, Source
from training.teacher_stages import member_config, train_teacher
from training.teaching import CachedLesson, Lesson, LiveLesson, MeanLesson, cached_lesson

_PATIENCE = timedelta(hours=12)
"""How long the other processes wait while the first one prepares all pictures."""


def configure(
    recipe: str,
    *,
    seed: int | None = None,
    teachers: Sequence[Path] = (),
    views: int | None = None,
    weights: Path | None = None,
    epochs: int | None = None,
    member: str | None = None,
) -> RunConfig:
    """
    Return the configuration of *recipe* with what the command line changed.

    Args:
        recipe: Name in ``training.recipes.RECIPES``.
        seed: Instead of the recipe's.
        teachers: Runs whose networks teach this one, by the mean of what they say.
        views: Instead of the recipe's: how many each teacher looks at once; 0 lets them look on
            live.
        weights: Folder with a file of weights for each backbone of a teacher, called after it.
        epochs: Instead of the recipe's.
        member: Backbone of a fused teacher that is to be trained alone, as it is trained within
            the teacher.

    Raises:
        RunError: There is no such recipe, no such file, no such finished teacher, no such member;
            a recipe without a teacher was given one, or one with a teacher none.
    """
    begin = require_recipe(recipe)
    changes: dict[str, object] = {}
    if seed is not None:
        changes["seed"] = seed
    if epochs is not None:
        changes |= {"epochs": epochs, "recipe": f"{recipe} --epochs {epochs}"}
    config = begin().model_copy(update=changes)
    if weights is not None:
        config = config.model_copy(update={"model": _from_files(config, weights)})
    if member is not None:
        config = _member(config, member)
    if config.distillation is None:
        if teachers:
            raise RunError(f"recipe {recipe!r} learns from labels alone; leave out --teacher")
        return config
    if not teachers:
        raise RunError(f"recipe {recipe!r} learns from a teacher; name a finished run: --teacher")
    return _taught(config, config.distillation, teachers, views)


def _taught(
    config: RunConfig, distillation: DistillationConfig, teachers: Sequence[Path], views: int | None
) -> RunConfig:
    """Return *config* with its teachers, and their views if they are not the recipe's."""
    runs = tuple(teacher.resolve() for teacher in teachers)
    for run in runs:
        require_run(run)
    if len(set(runs)) < len(runs):
        raise RunError("--teacher: expected each run once, found one of them twice")
    changes: dict[str, object] = {"teacher_runs": runs}
    name = config.recipe
    if views is not None:
        changes["views"] = views or None
        name += f" --views {views}"
    lesson = distillation.model_copy(update=changes)
    return config.model_copy(update={"recipe": name, "distillation": lesson})


def _member(config: RunConfig, name: str) -> RunConfig:
    """Return the configuration of one member of the teacher of *config*."""
    backbones = config.model.backbones if isinstance(config.model, TeacherConfig) else ()
    if len(backbones) < 2:  # noqa: PLR2004 - one alone is no fusion
        raise RunError(f"recipe {config.recipe!r} fuses no backbones; leave out --member")
    of_name = {backbone.name: backbone for backbone in backbones}
    if name not in of_name:
        raise RunError(f"--member {name}: expected one of {', '.join(of_name)}")
    return member_config(config, of_name[name])


def _from_files(config: RunConfig, folder: Path) -> TeacherConfig:
    """Return the teacher of *config* with weights from files in *folder*."""
    if not isinstance(config.model, TeacherConfig):
        raise RunError(f"recipe {config.recipe!r} trains a student; leave out --weights")
    files = {
        backbone.name: next(
            (file for end in SUFFIXES if (file := folder / f"{backbone.name}{end}").is_file()), None
        )
        for backbone in config.model.backbones
    }
    absent = [name for name, file in files.items() if file is None]
    if absent:
        raise RunError(
            f"{folder}: expected a file of weights for each backbone, found none called "
            f"{' and none called '.join(absent)} with one of the endings {', '.join(SUFFIXES)}"
        )
    backbones = tuple(
        backbone.model_copy(update={"weights": str(files[backbone.name])})
        for backbone in config.model.backbones
    )
    return config.model.model_copy(update={"backbones": backbones})


def train_run(config: RunConfig, source: Source, run: Path) -> Evaluation | None:
    """
    Train *config* in the folder *run*, or go on where it stopped, and report on validation.

    Works in one process and in several, started by accelerate or torch: the first one prepares the
    pictures and writes, the others wait and find them prepared.

    Returns:
        The report's content; None in all processes but the first.

    Raises:
        DataError: Data set and split do not fit, or a part is too small.
        RunError: *run* holds another configuration, or one of other pictures or another split.
    """
    keep_memory()
    accelerator = Accelerator(kwargs_handlers=[InitProcessGroupKwargs(timeout=_PATIENCE)])
    # Given and not wanted: nothing of them is prepared, or told of the network later.
    pictures = source.read().taken(config.extra_share)
    config = config.model_copy(
        update={"data": describe_data(pictures.record, pictures.split, pictures.extra)}
    )
    if pictures.split.protocol == PAPER:
        # The copies are the variants.
        config = config.model_copy(update={"variants": 1})
    judged = {part: pictures.chosen(part) for part in (VALIDATION, CALIBRATION)}
    with accelerator.main_process_first():
        train_part = _train_part(config, pictures)
        validation_part = pictures.prepared(judged[VALIDATION], config.preprocess)
        # Needed at the end only; what is wrong with it is said before hours pass.
        pictures.prepared(judged[CALIBRATION], config.preprocess)
        lesson = prepare_lesson(config, pictures, accelerator)
    is_first = accelerator.is_main_process
    if isinstance(config.model, TeacherConfig):
        train_teacher(config, train_part, validation_part, run)
    else:
        train(config, train_part, validation_part, run, lesson=lesson)
    # All trainings of the run are over, those of a teacher's members too.
    accelerator.end_training()
    return evaluate_run(run, source, part=VALIDATION, out=run) if is_first else None


def _train_part(config: RunConfig, pictures: Pictures) -> PreparedPart:
    cases = pictures.chosen(TRAIN) + pictures.chosen_extra(TRAIN)
    return pictures.prepared(cases, config.preprocess, variants=config.variants)


def lesson_part(taught: RunConfig, config: RunConfig, pictures: Pictures) -> PreparedPart:
    """
    Prepare the student's pictures for its teacher: at the teacher's own side, after its stages.

    As many variants as the student has, which are the same ones for both, whatever the teacher was
    trained on; the plain picture alone if it has seen nothing else.
    """
    variants = 1 if taught.variants == 1 else config.variants
    return _train_part(taught.model_copy(update={"variants": variants}), pictures)


def prepare_lesson(
    config: RunConfig, pictures: Pictures, accelerator: Accelerator
) -> Lesson | None:
    """
    Let all teachers prepare what they will say; views that they look at once are kept.

    Raises:
        RunError: There is no teacher where there should be one, or one may not teach.
    """
    if config.distillation is None:
        return None
    runs = config.distillation.teacher_runs
    if not runs:
        raise RunError(f"{config.recipe}: expected a teacher's run, found none")
    lessons = [_lesson_of(run, config, config.distillation, pictures, accelerator) for run in runs]
    return lessons[0] if len(lessons) == 1 else MeanLesson(lessons=lessons)


def _saw_no_more(taught_on: DataConfig | None, data: DataConfig | None) -> bool:
    """Tell whether a teacher saw the student's training pictures, or those of record alone."""
    if taught_on is None or data is None:
        return False
    return taught_on in (data, data.model_copy(update={"extra_fingerprint": None}))


def require_teacher(run: Path, config: RunConfig) -> RunConfig:
    """
    Return the configuration of a teacher of *config*.

    Raises:
        RunError: It saw other pictures than its student, or is still being trained: what it says
            would be kept, and be that of its first epochs.
    """
    taught = load_config(run)
    if not _saw_no_more(taught.data, config.data):
        raise RunError(
            f"teacher {run}: expected the student's own pictures and split, or those without the "
            "further sets, found others; a teacher that saw a test lesion would give it away"
        )
    if (epochs := finished_epochs(run)) < planned_epochs(taught):
        raise RunError(
            f"teacher {run}: expected {planned_epochs(taught)} finished epochs, found {epochs}; "
            "train it to its end with the command that began it"
        )
    return taught


def _lesson_of(
    run: Path,
    config: RunConfig,
    distillation: DistillationConfig,
    pictures: Pictures,
    accelerator: Accelerator,
) -> Lesson:
    """Let the teacher of *run* prepare what it will say."""
    taught = require_teacher(run, config)
    teacher = load_best(run).to(accelerator.device)
    part = lesson_part(taught, config, pictures)
    if distillation.views is None:
        return LiveLesson(teacher=teacher, part=part, device=accelerator.device)
    lesson: CachedLesson = cached_lesson(
        teacher,
        part,
        config.augment,
        views=distillation.views,
        folder=run,
        precision=taught.precision,
        averaged=distillation.kd_averaged,
    )
    return lesson
