"""How good a network is, with what certainty, and where it errs."""
