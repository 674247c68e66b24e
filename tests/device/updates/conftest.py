"""A store of models whose proof is a word of the test's."""

import pytest

from device.bundle import open_bundle
from device.core.errors import BundleError, BundleFault
from device.core.values import ModelIdentity
from device.updates.store import ModelStore
from tests.bundles import Signer, a_trust


class Shelf:
    """A store, and what a test may change around it."""

    def __init__(self, folder):
        self.folder = folder
        self.trust = a_trust(Signer(1), Signer(2))
        self.proofs = 0
        self.refuses = False
        self.store = self.opened()

    def opened(self):
        """The store as another process would see it."""
        return ModelStore(
            self.folder,
            trust=lambda: self.trust,
            prove=self._prove,
            shipped=lambda: ModelIdentity(name="shipped", version="0.5.0", sha256="0" * 64),
        )

    def _prove(self, content):
        self.proofs += 1
        if self.refuses:
            raise BundleError(BundleFault.PROOF, "expected sense, found none")
        manifest = open_bundle(content, self.trust).manifest
        return ModelIdentity(
            name=manifest.name, version=manifest.version, sha256=manifest.model.sha256
        )

    def versions(self, *, is_start=False):
        """What may be run, the most wanted first."""
        return [
            candidate.entry.version if candidate.entry else "shipped"
            for candidate in self.opened().candidates(is_start=is_start)
        ]

    def good(self, bundle):
        """Install and keep."""
        entry = self.store.install(bundle, force=False).entry
        self.store.mark_good(entry)
        return entry


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path / "state")
