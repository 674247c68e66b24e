"""Signed bundles for tests, good ones and broken ones of every kind, made on the spot."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from device.bundle import Goldens, Trust, pack
from device.bundle.bundle import (
    GOLDENS_NAME,
    MANIFEST_NAME,
    MODEL_NAME,
    MOST_BYTES,
    SIGNATURE_NAME,
    SIGNED_FROM,
)
from device.bundle.minisign import PublicKey, Signature, digest
from device.bundle.tar import END, header, pack_members
from device.classifier import OnnxClassifier
from device.core.manifest import COMPATIBLE, GoldenCase
from device.settings import SHIPPED_MODEL
from tests.builders import a_manifest

WORDS = b"not a graph, but nobody looks before the proof"


class Signer:
    """A key; the same *seed* gives the same one."""

    def __init__(self, seed: int = 1) -> None:
        self.private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        public = self.private.public_key().public_bytes_raw()
        self.public = PublicKey(key_id=digest(public)[:8], public=public)
        self.name = self.public.name

    def sign(self, content: bytes, comment: str) -> Signature:
        signature = self.private.sign(digest(content))
        return Signature(
            key_id=self.public.key_id,
            signature=signature,
            comment=comment,
            comment_signature=self.private.sign(signature + comment.encode()),
        )


def a_trust(*signers: Signer, revoked: tuple[Signer, ...] = ()) -> Trust:
    """Trust in *signers*, or in the first one."""
    return Trust(
        keys={signer.name: signer.public for signer in signers or (Signer(),)},
        revoked=frozenset(signer.name for signer in revoked),
        place="a test",
    )


def a_key_folder(folder: Path, *signers: Signer, revoked: tuple[Signer, ...] = ()) -> Path:
    """The same as files."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    for signer in signers or (Signer(),):
        path = folder / f"{signer.name}.pub"
        path.write_bytes(signer.public.text())
        path.chmod(0o644)
    if revoked:
        path = folder / "revoked.txt"
        path.write_text("".join(f"{signer.name}  # lost\n" for signer in revoked))
        path.chmod(0o644)
    return folder


def some_goldens(case: GoldenCase | None = None) -> Goldens:
    return Goldens(cases=(case or a_manifest().golden,))


def a_bundle(
    model: bytes = WORDS,
    *,
    version: str = "1.0.0",
    name: str = "test",
    signer: Signer | None = None,
    goldens: Goldens | None = None,
) -> bytes:
    """A bundle whose form and signature are right."""
    signer = signer or Signer()
    return pack(
        model,
        name=name,
        version=version,
        goldens=goldens or some_goldens(),
        key_id=signer.name,
        sign=signer.sign,
    )


@cache
def shipped() -> OnnxClassifier:
    return OnnxClassifier(SHIPPED_MODEL)


def newer(steps: int = 1) -> str:
    """A version above the shipped model's, with as many characters."""
    major, _, rest = shipped().manifest.version.partition(".")
    return f"{int(major) + steps}.{rest}"


def with_version(version: str) -> bytes:
    """The shipped model's file under another version of the same length."""
    found = shipped().manifest.version
    assert len(found) == len(version)
    content = SHIPPED_MODEL.read_bytes()
    old, new = (f'"version":"{one}","intended_use"'.encode() for one in (found, version))
    assert content.count(old) == 1
    return content.replace(old, new)


def a_real_bundle(version: str, *, signer: Signer | None = None) -> bytes:
    """The shipped model as a bundle of *version*, which has as many characters as its own."""
    return a_bundle(
        with_version(version),
        version=version,
        name=shipped().manifest.name,
        signer=signer,
        goldens=some_goldens(shipped().manifest.golden),
    )


def resigned(signed: bytes, signer: Signer | None = None) -> bytes:
    """Whatever is in *signed*, under a right signature."""
    text = (signer or Signer()).sign(signed, "test").text()
    return pack_members([(SIGNATURE_NAME, text)]) + signed


def members_of(bundle: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(bundle)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}


def rewritten(change: Callable[[dict], None], bundle: bytes | None = None) -> bytes:
    """A bundle whose manifest was changed and which was signed again."""
    members = members_of(bundle or a_bundle())
    manifest = json.loads(members[MANIFEST_NAME])
    change(manifest)
    return packed({**members, MANIFEST_NAME: json.dumps(manifest).encode()})


def packed(members: dict[str, bytes]) -> bytes:
    names = (MANIFEST_NAME, GOLDENS_NAME, MODEL_NAME)
    return resigned(pack_members([(name, members[name]) for name in names]) + END)


def with_goldens(goldens: dict) -> bytes:
    """Signed, with a right checksum, but goldens of another form."""
    content = json.dumps(goldens).encode()
    members = {**members_of(a_bundle()), GOLDENS_NAME: content}
    manifest = json.loads(members[MANIFEST_NAME])
    manifest["goldens"] = {
        "size_bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    return packed({**members, MANIFEST_NAME: json.dumps(manifest).encode()})


def through_tar(change: Callable[[tarfile.TarFile, dict[str, bytes]], None]) -> bytes:
    """Signed, but written by a general tool, which *change* uses."""
    members = members_of(a_bundle())
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        change(tar, members)
    return resigned(file.getvalue())


def _add(tar: tarfile.TarFile, name: str, content: bytes, **fields: object) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    tar.addfile(info, io.BytesIO(content))


def _first_two(tar: tarfile.TarFile, members: dict[str, bytes]) -> None:
    for name in (MANIFEST_NAME, GOLDENS_NAME):
        _add(tar, name, members[name])


def _extra(name: str, **fields: object) -> Callable[[tarfile.TarFile, dict[str, bytes]], None]:
    def change(tar: tarfile.TarFile, members: dict[str, bytes]) -> None:
        _first_two(tar, members)
        _add(tar, MODEL_NAME, members[MODEL_NAME])
        _add(tar, name, b"", **fields)

    return change


def _in_place_of_model(**fields: object) -> Callable[[tarfile.TarFile, dict[str, bytes]], None]:
    def change(tar: tarfile.TarFile, members: dict[str, bytes]) -> None:
        _first_two(tar, members)
        _add(tar, MODEL_NAME, b"", **fields)

    return change


def _flip(bundle: bytes, at: int) -> bytes:
    return bundle[:at] + bytes([bundle[at] ^ 1]) + bundle[at + 1 :]


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """What is wrong, and which fault it must be refused with."""

    fault: str
    make: Callable[[], bytes]


def _signed_part(bundle: bytes) -> bytes:
    return bundle[SIGNED_FROM:]


def _huge() -> bytes:
    signed = bytearray(_signed_part(a_bundle()))
    start = signed.index(header(MODEL_NAME, len(WORDS))[:100])
    signed[start : start + 512] = header(MODEL_NAME, 0o77777777777)
    return resigned(bytes(signed))


def _base256() -> bytes:
    """A size in the form for more than 8 GiB, as GNU tar writes it."""
    signed = bytearray(_signed_part(a_bundle()))
    start = signed.index(header(MODEL_NAME, len(WORDS))[:100])
    signed[start + 124 : start + 136] = b"\x80" + bytes(3) + (2**62).to_bytes(8, "big")
    return resigned(bytes(signed))


BROKEN: dict[str, Broken] = {
    # Nothing of these is looked at but the signature.
    "empty": Broken(fault="signature", make=lambda: b""),
    "no bundle": Broken(fault="signature", make=lambda: WORDS * 100),
    "a plain model": Broken(fault="signature", make=SHIPPED_MODEL.read_bytes),
    "cut off in the signature": Broken(fault="signature", make=lambda: a_bundle()[:700]),
    "cut off behind it": Broken(fault="signature", make=lambda: a_bundle()[:SIGNED_FROM]),
    "cut off at the end": Broken(fault="signature", make=lambda: a_bundle()[:-1]),
    "longer than it was": Broken(fault="signature", make=lambda: a_bundle() + b"\0"),
    "a bit of the model": Broken(fault="signature", make=lambda: _flip(a_bundle(), -1100)),
    "a bit of the manifest": Broken(fault="signature", make=lambda: _flip(a_bundle(), 1600)),
    "a bit of the first header": Broken(fault="signature", make=lambda: _flip(a_bundle(), 300)),
    "a bit of the signature": Broken(fault="signature", make=lambda: _flip(a_bundle(), 612)),
    "a bit of the comment": Broken(
        fault="signature", make=lambda: a_bundle().replace(b"test 1.0.0", b"test 9.0.0", 1)
    ),
    "another bundle's signature": Broken(
        fault="signature",
        make=lambda: a_bundle(version="1.0.0")[:SIGNED_FROM] + a_bundle(version="2.0.0")[1024:],
    ),
    "another key": Broken(fault="key", make=lambda: a_bundle(signer=Signer(9))),
    "a revoked key": Broken(fault="key", make=lambda: a_bundle(signer=Signer(2))),
    "too large": Broken(fault="too-large", make=lambda: bytes(MOST_BYTES + 1)),
    # These are signed by a trusted key: a signer's mistake, or a signer who was robbed.
    "no members": Broken(fault="malformed", make=lambda: resigned(END)),
    "no end": Broken(
        fault="malformed", make=lambda: resigned(_signed_part(a_bundle())[: -len(END)])
    ),
    "a huge size": Broken(fault="malformed", make=_huge),
    "a size in another form": Broken(fault="malformed", make=_base256),
    "a path upwards": Broken(
        fault="malformed", make=lambda: through_tar(_extra("../../etc/passwd"))
    ),
    "an absolute path": Broken(fault="malformed", make=lambda: through_tar(_extra("/etc/passwd"))),
    "a symbolic link": Broken(
        fault="malformed",
        make=lambda: through_tar(_in_place_of_model(type=tarfile.SYMTYPE, linkname="/etc/shadow")),
    ),
    "a hard link": Broken(
        fault="malformed",
        make=lambda: through_tar(_in_place_of_model(type=tarfile.LNKTYPE, linkname="/etc/shadow")),
    ),
    "a device": Broken(
        fault="malformed",
        make=lambda: through_tar(_in_place_of_model(type=tarfile.CHRTYPE, devmajor=1, devminor=8)),
    ),
    "a pipe": Broken(
        fault="malformed", make=lambda: through_tar(_in_place_of_model(type=tarfile.FIFOTYPE))
    ),
    "a folder": Broken(
        fault="malformed", make=lambda: through_tar(_in_place_of_model(type=tarfile.DIRTYPE))
    ),
    "an extra member": Broken(fault="malformed", make=lambda: through_tar(_extra("run.py"))),
    "a second model": Broken(fault="malformed", make=lambda: through_tar(_extra(MODEL_NAME))),
    "a long name in an extension": Broken(
        fault="malformed", make=lambda: through_tar(_extra("n" * 300))
    ),
    "another owner and time": Broken(
        fault="malformed", make=lambda: through_tar(_extra("x", mtime=1, uid=1000, mode=0o4755))
    ),
    "members in another order": Broken(
        fault="malformed",
        make=lambda: resigned(pack_members(list(members_of(a_bundle()).items())[::-1]) + END),
    ),
    "something behind a member": Broken(
        fault="malformed",
        make=lambda: resigned(_flip(_signed_part(a_bundle()), -len(END) - 1)),
    ),
    "a manifest that is no JSON": Broken(
        fault="malformed", make=lambda: packed({**members_of(a_bundle()), MANIFEST_NAME: b"{"})
    ),
    "a manifest without end": Broken(
        fault="malformed",
        make=lambda: packed({**members_of(a_bundle()), MANIFEST_NAME: b"[" * 100_000}),
    ),
    "an unknown format": Broken(
        fault="malformed", make=lambda: rewritten(lambda m: m.update(format="edgederm-bundle-9"))
    ),
    "a further key in the manifest": Broken(
        fault="malformed", make=lambda: rewritten(lambda m: m.update(run="model.py"))
    ),
    "a name that is a path": Broken(
        fault="malformed", make=lambda: rewritten(lambda m: m.update(name="../evil"))
    ),
    "a version without order": Broken(
        fault="malformed", make=lambda: rewritten(lambda m: m.update(version="newest"))
    ),
    "another key than the one that signed": Broken(
        fault="malformed", make=lambda: rewritten(lambda m: m.update(key_id=Signer(3).name))
    ),
    "another checksum of the model": Broken(
        fault="malformed", make=lambda: rewritten(lambda m: m["model"].update(sha256="0" * 64))
    ),
    "another size of the goldens": Broken(
        fault="malformed", make=lambda: rewritten(lambda m: m["goldens"].update(size_bytes=7))
    ),
    "no goldens": Broken(fault="malformed", make=lambda: with_goldens({"cases": []})),
    "goldens with code": Broken(fault="malformed", make=lambda: with_goldens({"__reduce__": "os"})),
    "another generation": Broken(
        fault="incompatible",
        make=lambda: rewritten(lambda m: m.update(compatible=f"{COMPATIBLE[:-1]}2")),
    ),
}
"""All that ``open_bundle`` must refuse, with ``Signer(2)`` revoked and ``Signer(9)`` unknown."""
