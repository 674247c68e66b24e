"""From a finished run to a model file that the device accepts, and the card beside it."""
