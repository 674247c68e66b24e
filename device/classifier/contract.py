"""Read the contract out of a model file, and hold it against the graph that came with it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from device.core.errors import ModelError
from device.core.manifest import COMPATIBLE, METADATA_KEY, SCHEMA_VERSION, ModelManifest

_REEXPORT = "export the model again with `python -m training export`"
ANY = -1
_UPDATE = "update the device's software, or export a model for this generation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """Name, type and shape of one end of a graph; a free axis is None, any size is ANY."""

    name: str
    dtype: str
    shape: tuple[int | None, ...]


def read_contract(metadata: Mapping[str, str]) -> ModelManifest:
    """
    Parse the contract in a model file's metadata.

    Raises:
        ModelError: It is missing, no JSON, of another generation, or incomplete.
    """
    text = metadata.get(METADATA_KEY)
    if text is None:
        raise ModelError(
            field=f"metadata_props[{METADATA_KEY!r}]",
            expected="the model contract",
            found="nothing",
            remedy=_REEXPORT,
        )
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelError(
            field=f"metadata_props[{METADATA_KEY!r}]",
            expected="a JSON document",
            found=f"text that is none ({error})",
            remedy=_REEXPORT,
        ) from error
    found = document.get("schema_version") if isinstance(document, dict) else None
    if type(found) is not int or found != SCHEMA_VERSION:
        raise ModelError(
            field="schema_version", expected=SCHEMA_VERSION, found=found, remedy=_UPDATE
        )
    if document.get("compatible") != COMPATIBLE:
        raise ModelError(
            field="compatible",
            expected=COMPATIBLE,
            found=document.get("compatible"),
            remedy=_UPDATE,
        )
    try:
        # Strict: "no" is not false, and "64" is not a number.
        return ModelManifest.model_validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ModelError(
            field=".".join(map(str, first["loc"])) or "contract",
            expected=first["msg"],
            found=repr(first["input"])[:80],
            remedy=_REEXPORT,
        ) from error


def check_graph(
    manifest: ModelManifest, inputs: Sequence[Tensor], outputs: Sequence[Tensor]
) -> None:
    """
    Compare a graph's ends with what the contract and the device need.

    Raises:
        ModelError: Naming the first end that differs.
    """
    side = manifest.input.side_px
    expected_inputs = [
        Tensor(name=manifest.input.name, dtype="tensor(uint8)", shape=(None, side, side, 3))
    ]
    expected_outputs = [
        Tensor(name="malignancy_logit", dtype="tensor(float)", shape=(None, 1)),
        Tensor(
            name="diagnosis_logits", dtype="tensor(float)", shape=(None, len(manifest.diagnoses))
        ),
        # The size of the map is the model's own business.
        Tensor(name="activation_map", dtype="tensor(float)", shape=(None, ANY, ANY)),
        Tensor(
            name="embedding",
            dtype="tensor(float)",
            shape=(None, manifest.out_of_distribution.mean_D.size),
        ),
    ]
    for what, expected, found in (
        ("input", expected_inputs, inputs),
        ("output", expected_outputs, outputs),
    ):
        if [tensor.name for tensor in found] != [tensor.name for tensor in expected]:
            raise ModelError(
                field=f"graph {what}s",
                expected=[tensor.name for tensor in expected],
                found=[tensor.name for tensor in found],
                remedy=_REEXPORT,
            )
        for wanted, given in zip(expected, found, strict=True):
            if given.dtype != wanted.dtype or not _fits(wanted.shape, given.shape):
                raise ModelError(
                    field=f"graph {what} {wanted.name}",
                    expected=f"{wanted.dtype} {wanted.shape}",
                    found=f"{given.dtype} {given.shape}",
                    remedy=_REEXPORT,
                )


def _fits(wanted: Sequence[int | None], given: Sequence[int | None]) -> bool:
    return len(wanted) == len(given) and all(
        a in (ANY, b) for a, b in zip(wanted, given, strict=True)
    )
