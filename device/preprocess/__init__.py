"""Six pure stages that turn a decoded picture into the model's input, and their composition."""

from device.preprocess.pipeline import model_input, prepare, working_copy

__all__ = ["model_input", "prepare", "working_copy"]
