"""Which keys a box trusts, and which no more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from device.bundle.minisign import PublicKey, Signature, check, key_name
from device.core.errors import BundleError, BundleFault


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Public keys by the name of their id."""

    keys: Mapping[str, PublicKey] = field(default_factory=dict)
    revoked: frozenset[str] = frozenset()
    place: str = "no folder"
    """Where they come from, for people."""

    @property
    def trusted(self) -> tuple[str, ...]:
        """Names of the keys that count."""
        return tuple(sorted(self.keys.keys() - self.revoked))

    def check(self, content: bytes | memoryview, signature: Signature) -> PublicKey:
        """
        See that a trusted key signed *content*, and return it.

        Raises:
            BundleError: The key is not known or revoked, or the signature is not that of *content*.
        """
        name = key_name(signature.key_id)
        if name in self.revoked:
            raise BundleError(
                BundleFault.KEY,
                f"expected a key that is trusted, found {name}, which was revoked; sign the model "
                "with another key",
            )
        key = self.keys.get(name)
        if key is None:
            raise BundleError(
                BundleFault.KEY,
                f"expected a key of {self.place} ({', '.join(self.trusted) or 'none'}), found "
                f"{name}; if you know whose it is, put its .pub file there",
            )
        check(content, signature, key)
        return key
