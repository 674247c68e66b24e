"""
The bundle ``name-version.edm``: a tar file whose first member is the signature of all the rest.

The signature has a place of fixed size, so it is found without a look at what it has to vouch for::

    byte    0   header of signature.minisig
    byte  512   the signature, filled up with zeros
    byte 1024   manifest.json, goldens.json, model.onnx, end: every byte of it is signed

Nothing of the signed part is looked at before the signature was found to be that of a trusted key.
There is no code in a bundle: two JSON documents and a graph.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError

from device.bundle.minisign import Signature
from device.bundle.tar import BLOCK, END, header, malformed, pack_members, unpack_members
from device.bundle.trust import Trust
from device.bundle.version import VERSION_PATTERN
from device.core.errors import BundleError, BundleFault
from device.core.manifest import COMPATIBLE, GoldenCase, Record

SUFFIX = ".edm"
SIGNATURE_NAME, MANIFEST_NAME = "signature.minisig", "manifest.json"
GOLDENS_NAME, MODEL_NAME = "goldens.json", "model.onnx"
MOST_BYTES = 8 * 2**20
"""Of a whole bundle; a student has half a megabyte, and a board reads a bundle into its memory."""
SIGNED_FROM = 2 * BLOCK
_MOST_MANIFEST_BYTES = 16 * 1024
_MOST_GOLDENS_BYTES = 256 * 1024

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Model = TypeVar("Model", bound=BaseModel)


class Member(Record):
    """What the manifest says of another member."""

    size_bytes: Annotated[int, Field(ge=1, le=MOST_BYTES)]
    sha256: Sha256


class BundleManifest(Record):
    """What the bundle is, before the model is looked at."""

    format: Literal["edgederm-bundle-1"]
    compatible: Annotated[str, Field(max_length=100)]
    """Generation of the model's contract; read first of all."""
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
    version: Annotated[str, Field(pattern=VERSION_PATTERN)]
    key_id: Annotated[str, Field(pattern=r"^[0-9A-F]{16}$")]
    """Of the key that signed, as minisign shows it."""
    model: Member
    goldens: Member


class Goldens(Record):
    """Drawn pictures and what the model must say of them."""

    cases: Annotated[tuple[GoldenCase, ...], Field(min_length=1, max_length=64)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A bundle whose signature, form and checksums are right; what the model says is not known."""

    manifest: BundleManifest
    goldens: Goldens
    model: bytes
    """The whole ONNX file."""

    @property
    def words(self) -> str:
        """Name, version and the beginning of the digest, for people and the audit trail."""
        manifest = self.manifest
        return f"{manifest.name} {manifest.version} ({manifest.model.sha256[:12]})"


def pack(
    model: bytes,
    *,
    name: str,
    version: str,
    goldens: Goldens,
    key_id: str,
    sign: Callable[[bytes, str], Signature],
) -> bytes:
    """
    Make a bundle; the same from the same, byte for byte.

    Args:
        model: The whole ONNX file, with its contract.
        name: Of the model.
        version: Of the model, ``major.minor.patch``.
        goldens: What the model must answer.
        key_id: Of the key behind *sign*.
        sign: Signs content and comment.

    Raises:
        BundleError: It would be too large.
        ValueError: Name or version have another form.
    """
    cases = goldens.model_dump_json(indent=1).encode() + b"\n"
    manifest = BundleManifest(
        format="edgederm-bundle-1",
        compatible=COMPATIBLE,
        name=name,
        version=version,
        key_id=key_id,
        model=_member(model),
        goldens=_member(cases),
    )
    members = (
        (MANIFEST_NAME, manifest.model_dump_json(indent=1).encode() + b"\n"),
        (GOLDENS_NAME, cases),
        (MODEL_NAME, model),
    )
    signed = pack_members(members) + END
    text = sign(signed, f"{name} {version}").text()
    if len(text) > BLOCK:
        raise ValueError(f"expected a signature of at most {BLOCK} bytes, found {len(text)}")
    whole = pack_members([(SIGNATURE_NAME, text)]) + signed
    check_size(len(whole))
    return whole


def open_bundle(content: bytes, trust: Trust) -> Bundle:
    """
    Check the signature, then read.

    Args:
        content: The whole file; see :func:`check_size` before reading it.
        trust: Whose signature counts.

    Raises:
        BundleError: Saying which of size, signature, key, form and generation is wrong.
    """
    check_size(len(content))
    view = memoryview(content)
    signature = _signature(view[:SIGNED_FROM])
    signed = view[SIGNED_FROM:]
    key = trust.check(signed, signature)
    members = unpack_members(signed, (MANIFEST_NAME, GOLDENS_NAME, MODEL_NAME))
    manifest = _manifest(members[MANIFEST_NAME])
    if manifest.key_id != key.name:
        raise malformed(f"{MANIFEST_NAME}: expected the key {key.name}, found {manifest.key_id}")
    for name, stated in ((GOLDENS_NAME, manifest.goldens), (MODEL_NAME, manifest.model)):
        if _member(members[name]) != stated:
            raise malformed(f"{name}: expected SHA-256 {stated.sha256}, found another")
    goldens = _document(GOLDENS_NAME, Goldens, members[GOLDENS_NAME], _MOST_GOLDENS_BYTES)
    return Bundle(manifest=manifest, goldens=goldens, model=members[MODEL_NAME])


def check_size(size_bytes: int) -> None:
    """
    See that a file of this size may be read at all.

    Raises:
        BundleError: It may not.
    """
    if size_bytes > MOST_BYTES:
        raise BundleError(
            BundleFault.TOO_LARGE,
            f"expected at most {MOST_BYTES} bytes, found {size_bytes}; this is no model for a "
            "small board",
        )


def _signature(front: memoryview) -> Signature:
    block = bytes(front[:BLOCK])
    text = bytes(front[BLOCK:]).rstrip(b"\0")
    stranger = BundleError(
        BundleFault.SIGNATURE,
        f"expected {SIGNATURE_NAME} in front, found something else; this is no bundle: make one "
        "with `python -m training bundle`",
    )
    if len(front) != SIGNED_FROM or block != header(SIGNATURE_NAME, len(text)):
        raise stranger
    signature = Signature.parse(text)
    # Its first line is the one thing that nobody signs; it has one wording here.
    if signature.text() != text:
        raise stranger
    return signature


def _manifest(content: bytes) -> BundleManifest:
    manifest = _document(MANIFEST_NAME, BundleManifest, content, _MOST_MANIFEST_BYTES)
    if manifest.compatible != COMPATIBLE:
        raise BundleError(
            BundleFault.INCOMPATIBLE,
            f"expected a model of the generation {COMPATIBLE}, found {manifest.compatible!r}; "
            "update the device's software, or export a model for this generation",
        )
    return manifest


def _document(name: str, model: type[Model], content: bytes, most_bytes: int) -> Model:
    if len(content) > most_bytes:
        raise malformed(f"{name}: expected at most {most_bytes} bytes, found {len(content)}")
    try:
        return model.model_validate_json(content, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "document"
        raise malformed(f"{name}: expected our form, found {where}: {first['msg']}") from None


def _member(content: bytes) -> Member:
    return Member(size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
