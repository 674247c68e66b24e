"""Where pictures come from, who is in which part, and where prepared ones are kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from device.core.manifest import PreprocessSpec
from training.data.case import Case
from training.data.dataset import PreparedPart, prepare_part
from training.data.protocols import parted
from training.data.readers import read_dataset
from training.data.splits import GROUPED, Split, read_split
from training.errors import DataError

HAM10000_SPLIT = Path(__file__).parent / "splits" / "ham10000.csv"
DEFAULT_CACHE = Path("var/cache")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """
    The set of record and what is trained on beside it.

    Only the set of record is ever judged on; pictures of *also* are for training.
    """

    data: Path
    also: tuple[Path, ...] = ()
    """Roots of further sets; *split* must name their pictures too."""
    split: Path = HAM10000_SPLIT
    protocol: str = GROUPED
    """How the pictures of the set of record are parted: see ``data/protocols.py``."""
    cache: Path = DEFAULT_CACHE
    workers: int = 2

    def read(self) -> Pictures:
        """Read all sets and the split, and apply the protocol; raises DataError."""
        further = [case for root in self.also for case in read_dataset(root)]
        grouped = read_split(self.split)
        record, split = parted(self.protocol, read_dataset(self.data), grouped)
        return Pictures(source=self, record=record, extra=further, split=split)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """All cases with their places."""

    source: Source
    record: list[Case]
    extra: list[Case]
    split: Split

    def taken(self, extra_share: float) -> Pictures:
        """Leave out the further sets where an epoch takes nothing of them."""
        return self if extra_share > 0 else replace(self, extra=[])

    def chosen(self, part: str) -> list[Case]:
        """
        The cases of *part* in the set of record.

        Raises:
            DataError: There are none.
        """
        chosen = self.split.cases(self.record, part)
        if not chosen:
            raise DataError(
                f"part {part!r} of {self.source.split}",
                [f"no picture of {self.source.data} is in it"],
                "name one of train, validation, calibration, test, and the split of this data set",
            )
        return chosen

    def chosen_extra(self, part: str) -> list[Case]:
        """The cases of *part* in the further sets; there may be none."""
        return self.split.cases(self.extra, part)

    def prepared(
        self, cases: list[Case], spec: PreprocessSpec, *, variants: int = 1
    ) -> PreparedPart:
        """Run the stages on *cases*, or find that done in the cache."""
        source = self.source
        return prepare_part(
            cases, spec, cache=source.cache, variants=variants, workers=source.workers
        )
