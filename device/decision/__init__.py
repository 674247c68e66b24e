"""From logits and quality to one of four words."""

from device.decision.policy import decide, probability_malignant

__all__ = ["decide", "probability_malignant"]
