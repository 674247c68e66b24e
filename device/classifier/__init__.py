"""The network at work; the only door to ONNX Runtime on the device."""

from device.classifier.onnx_runtime import OnnxClassifier

__all__ = ["OnnxClassifier"]
