"""
The student in LiteRT (TensorFlow Lite), weights in fp32, through its own fast kernels (XNNPACK).

Written with the schema that comes with the runtime.  Its pictures have their channels last, and its
padding is not symmetric where a convolution has a stride, so that a layer of its own pads there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.student import Layer, Translation
from device.core.values import Pixels

_VERSION = 3
_IDENTIFIER = b"TFL3"


def in_litert(
    student: Translation, image_HWC: Pixels
) -> Callable[[], Mapping[str, NDArray[np.float32]]]:
    """Load the student; returns what runs it on *image_HWC* and returns its heads."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=write(student), num_threads=1)
    interpreter.allocate_tensors()
    place = interpreter.get_input_details()[0]["index"]
    # In the order in which they were written, which is that of the heads.
    places = [end["index"] for end in interpreter.get_output_details()]

    def run() -> Mapping[str, NDArray[np.float32]]:
        interpreter.set_tensor(place, image_HWC[None])
        interpreter.invoke()
        return {
            head: interpreter.get_tensor(index)
            for head, index in zip(student.outputs, places, strict=True)
        }

    return run


def write(student: Translation) -> bytes:
    """Return the content of a ``.tflite`` file; outputs in the order of the student's heads."""
    import flatbuffers

    model = _Model(student)
    builder = flatbuffers.Builder()
    builder.Finish(model.finished().Pack(builder), _IDENTIFIER)
    return bytes(builder.Output())


class _Model:
    """A model under construction."""

    def __init__(self, student: Translation) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self._schema: Any = schema
        self._student = student
        self._buffers = [schema.BufferT()]
        self._tensors: list[Any] = []
        self._operators: list[Any] = []
        self._codes: list[int] = []
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._places: dict[str, int] = {}
        self._normalize()
        for layer in student.layers:
            self._add(layer)

    def finished(self) -> Any:
        """Return the whole as an object of the schema."""
        graph = self._schema.SubGraphT()
        graph.tensors, graph.operators = self._tensors, self._operators
        graph.inputs = [self._places["pixels"]]
        graph.outputs = [self._places[name] for name in self._student.outputs.values()]
        model = self._schema.ModelT()
        model.version, model.subgraphs, model.buffers = _VERSION, [graph], self._buffers
        model.operatorCodes = []
        for code in self._codes:
            each = self._schema.OperatorCodeT()
            each.builtinCode = code
            each.deprecatedBuiltinCode = min(code, 127)
            each.version = 1
            model.operatorCodes.append(each)
        return model

    def _normalize(self) -> None:
        student, schema = self._student, self._schema
        shape = (1, student.side_px, student.side_px, 3)
        self._result("pixels", shape, schema.TensorType.UINT8)
        cast = schema.CastOptionsT()
        cast.inDataType, cast.outDataType = schema.TensorType.UINT8, schema.TensorType.FLOAT32
        steps: list[tuple[int, str, Any, float | None]] = [
            (schema.BuiltinOperator.CAST, "Cast", cast, None)
        ]
        if student.scale != 1:
            steps.append((schema.BuiltinOperator.MUL, "Mul", schema.MulOptionsT(), student.scale))
        if student.shift != 0:
            steps.append((schema.BuiltinOperator.ADD, "Add", schema.AddOptionsT(), student.shift))
        source = "pixels"
        for number, (code, kind, options, value) in enumerate(steps):
            inputs = [source]
            if value is not None:
                constant = np.array(value, dtype=np.float32)
                inputs.append(self._constant(f"{kind}_by", constant))
            is_last = number + 1 == len(steps)
            source = self._result("image" if is_last else f"{kind}_of_pixels", shape)
            self._operator(code, inputs, source, kind, options)

    def _add(self, layer: Layer) -> None:
        schema, source = self._schema, layer.inputs[0]
        shape = self._shapes[source]
        if layer.kind == "add":
            result = self._result(layer.output, shape)
            self._operator(
                schema.BuiltinOperator.ADD, list(layer.inputs), result, "Add", schema.AddOptionsT()
            )
        elif layer.kind == "pool":
            axes = self._constant(f"{layer.output}_axes", np.array([1, 2], dtype=np.int32))
            result = self._result(layer.output, (1, shape[3]))
            self._operator(
                schema.BuiltinOperator.MEAN,
                [source, axes],
                result,
                "Reducer",
                schema.ReducerOptionsT(),
            )
        elif layer.weight is None:
            raise ValueError(f"{layer.kind}: expected weights, found none")
        elif layer.kind == "linear":
            result = self._result(layer.output, (1, layer.weight.shape[0]))
            self._operator(
                schema.BuiltinOperator.FULLY_CONNECTED,
                [source, self._constant(f"{layer.output}_w", layer.weight), self._bias(layer)],
                result,
                "FullyConnected",
                schema.FullyConnectedOptionsT(),
            )
        else:
            self._convolve(layer, layer.weight)

    def _convolve(self, layer: Layer, weight: NDArray[np.float32]) -> None:
        schema, source = self._schema, layer.inputs[0]
        _, side, _, channels = self._shapes[source]
        keeps_side = layer.stride == 1
        if layer.pad and not keeps_side:
            pad = layer.pad
            pads = np.array([[0, 0], [pad, pad], [pad, pad], [0, 0]], dtype=np.int32)
            constant = self._constant(f"{layer.output}_pads", pads)
            side += 2 * pad
            padded = self._result(f"{layer.output}_padded", (1, side, side, channels))
            self._operator(
                schema.BuiltinOperator.PAD, [source, constant], padded, "Pad", schema.PadOptionsT()
            )
            source = padded
        out, kernel = weight.shape[0], weight.shape[2]
        new_side = side if keeps_side else (side - kernel) // layer.stride + 1
        result = self._result(layer.output, (1, new_side, new_side, out))
        is_depthwise = layer.groups > 1
        # [out, in, h, w] as LiteRT wants it: channels last, and for depthwise first of all one.
        order = (1, 2, 3, 0) if is_depthwise else (0, 2, 3, 1)
        code, kind, options = (
            (
                schema.BuiltinOperator.DEPTHWISE_CONV_2D,
                "DepthwiseConv2D",
                schema.DepthwiseConv2DOptionsT(),
            )
            if is_depthwise
            else (schema.BuiltinOperator.CONV_2D, "Conv2D", schema.Conv2DOptionsT())
        )
        options.padding = schema.Padding.SAME if keeps_side else schema.Padding.VALID
        options.strideH = options.strideW = layer.stride
        options.dilationHFactor = options.dilationWFactor = 1
        activations = schema.ActivationFunctionType
        options.fusedActivationFunction = activations.RELU if layer.rectifies else activations.NONE
        if is_depthwise:
            options.depthMultiplier = 1
        kernels = self._constant(f"{layer.output}_w", weight.transpose(order))
        self._operator(code, [source, kernels, self._bias(layer)], result, kind, options)

    def _bias(self, layer: Layer) -> str:
        if layer.weight is None:
            raise ValueError(f"{layer.kind}: expected weights, found none")
        bias = np.zeros(layer.weight.shape[0], np.float32) if layer.bias is None else layer.bias
        return self._constant(f"{layer.output}_b", bias)

    def _constant(self, name: str, value: NDArray[Any]) -> str:
        kinds = self._schema.TensorType
        buffer = self._schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(value).tobytes(), dtype=np.uint8)
        self._buffers.append(buffer)
        kind = kinds.INT32 if value.dtype == np.int32 else kinds.FLOAT32
        return self._tensor(name, value.shape, kind, len(self._buffers) - 1)

    def _result(self, name: str, shape: tuple[int, ...], kind: int | None = None) -> str:
        kind = self._schema.TensorType.FLOAT32 if kind is None else kind
        return self._tensor(name, shape, kind, 0)

    def _tensor(self, name: str, shape: tuple[int, ...], kind: int, buffer: int) -> str:
        tensor = self._schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name, list(shape), kind, buffer
        self._places[name] = len(self._tensors)
        self._shapes[name] = shape
        self._tensors.append(tensor)
        return name

    def _operator(
        self, code: int, inputs: list[str], output: str, kind: str, options: object
    ) -> None:
        if code not in self._codes:
            self._codes.append(code)
        operator = self._schema.OperatorT()
        operator.opcodeIndex = self._codes.index(code)
        operator.inputs = [self._places[name] for name in inputs]
        operator.outputs = [self._places[output]]
        operator.builtinOptionsType = getattr(self._schema.BuiltinOptions, f"{kind}Options")
        operator.builtinOptions = options
        self._operators.append(operator)
