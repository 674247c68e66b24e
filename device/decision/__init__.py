"""From logits and quality to one of four words."""

from device.decision.novelty import novelty
from device.decision.policy import decide, probability_malignant

__all__ = ["decide", "novelty", "probability_malignant"]
