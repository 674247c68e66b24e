"""What a file of results says of that which was measured."""

from bench.board import commit
from tests.bundles import shipped


def sources():
    """Name the commit of these sources and the model that they ship; asked when a run begins."""
    return {"commit": commit(), "model": shipped().manifest.version}
