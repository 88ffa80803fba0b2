"""Writes small TFLite files, with the builders of the package `tflite`."""

import flatbuffers
import numpy as np
import tflite

TYPES = {"float32": 0, "float16": 1, "int32": 2, "uint8": 3, "int64": 4, "int8": 9}
RELU, RELU6 = 1, 3


class TFLiteFile:
    """A graph with one input; `number = file.op(...)` adds an operator and gives its output."""

    def __init__(self, shape, dtype="float32"):
        self.tensors, self.buffers, self.operators = [], [b""], []
        self.input = self.tensor("input", shape, dtype)
        self.output = self.input
        self.metadata = b""

    def tensor(self, name, shape, dtype="float32", buffer=0):
        self.tensors.append((name, tuple(shape), dtype, buffer))
        return len(self.tensors) - 1

    def constant(self, name, array):
        array = np.asarray(array)
        self.buffers.append(array.tobytes())
        return self.tensor(name, array.shape, array.dtype.name, len(self.buffers) - 1)

    def op(self, kind, inputs, shape, options=None, dtype="float32", name="", **values):
        """options: "Conv2DOptions", with `values` as its fields; shape: the output's."""
        self.output = self.tensor(name or f"{kind.lower()}_{len(self.operators)}", shape, dtype)
        self.operators.append((kind, list(inputs), [self.output], options, values))
        return self.output

    def conv(self, x, weights, bias, shape, depthwise=False, name="", **values):
        kind, options = (
            ("DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions") if depthwise else ("CONV_2D", "Conv2DOptions")
        )
        usual = {"StrideW": 1, "StrideH": 1, "DilationWFactor": 1, "DilationHFactor": 1, "Padding": 0}
        usual |= {"DepthMultiplier": weights.shape[3] // self.tensors[x][1][3]} if depthwise else {}
        variable = "depthwise_weights" if depthwise else "weights"
        name = name or f"conv{len(self.operators)}"
        inputs = [x, self.constant(f"{name}/{variable}", weights)]
        inputs += [] if bias is None else [self.constant(f"{name}/bias", bias)]
        return self.op(kind, inputs, shape, options, name=f"{name}/Relu6", **usual | values)

    def bytes(self):
        builder = flatbuffers.Builder(1024)
        if self.metadata:
            self.buffers.append(self.metadata)
        codes = sorted({kind for kind, *_ in self.operators})
        buffers = [self._buffer(builder, data) for data in self.buffers]
        tensors = [self._tensor(builder, *tensor) for tensor in self.tensors]
        operators = [self._operator(builder, codes.index(kind), *rest) for kind, *rest in self.operators]
        numbers = [vector(builder, [self.input]), vector(builder, [self.output])]
        lists = [offsets(builder, tensors), offsets(builder, operators)]
        tflite.SubGraphStart(builder)
        tflite.SubGraphAddTensors(builder, lists[0])
        tflite.SubGraphAddInputs(builder, numbers[0])
        tflite.SubGraphAddOutputs(builder, numbers[1])
        tflite.SubGraphAddOperators(builder, lists[1])
        graphs = offsets(builder, [tflite.SubGraphEnd(builder)])
        codes = offsets(builder, [self._code(builder, kind) for kind in codes])
        entries = self._metadata(builder, len(buffers) - 1) if self.metadata else None
        buffers = offsets(builder, buffers)
        tflite.ModelStart(builder)
        if entries is not None:
            tflite.ModelAddMetadata(builder, entries)
        tflite.ModelAddVersion(builder, 3)
        tflite.ModelAddOperatorCodes(builder, codes)
        tflite.ModelAddSubgraphs(builder, graphs)
        tflite.ModelAddBuffers(builder, buffers)
        builder.Finish(tflite.ModelEnd(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())

    def _metadata(self, builder, buffer):
        name = builder.CreateString("TFLITE_METADATA")
        tflite.MetadataStart(builder)
        tflite.MetadataAddName(builder, name)
        tflite.MetadataAddBuffer(builder, buffer)
        return offsets(builder, [tflite.MetadataEnd(builder)])

    def _buffer(self, builder, data):
        values = builder.CreateNumpyVector(np.frombuffer(data, np.uint8)) if data else None
        tflite.BufferStart(builder)
        if values is not None:
            tflite.BufferAddData(builder, values)
        return tflite.BufferEnd(builder)

    def _tensor(self, builder, name, shape, dtype, buffer):
        text, sizes = builder.CreateString(name), vector(builder, shape)
        if name == "sparse":
            tflite.SparsityParametersStart(builder)
            sparsity = tflite.SparsityParametersEnd(builder)
        tflite.TensorStart(builder)
        if name == "sparse":
            tflite.TensorAddSparsity(builder, sparsity)
        tflite.TensorAddShape(builder, sizes)
        tflite.TensorAddType(builder, TYPES[dtype])
        tflite.TensorAddBuffer(builder, buffer)
        tflite.TensorAddName(builder, text)
        return tflite.TensorEnd(builder)

    def _operator(self, builder, code, inputs, outputs, options, values):
        table = None
        if options:
            getattr(tflite, f"{options}Start")(builder)
            for field, value in values.items():
                getattr(tflite, f"{options}Add{field}")(builder, value)
            table = getattr(tflite, f"{options}End")(builder)
        inputs, outputs = vector(builder, inputs), vector(builder, outputs)
        tflite.OperatorStart(builder)
        tflite.OperatorAddOpcodeIndex(builder, code)
        tflite.OperatorAddInputs(builder, inputs)
        tflite.OperatorAddOutputs(builder, outputs)
        if table is not None:
            tflite.OperatorAddBuiltinOptionsType(builder, getattr(tflite.BuiltinOptions, options))
            tflite.OperatorAddBuiltinOptions(builder, table)
        return tflite.OperatorEnd(builder)

    def _code(self, builder, kind):
        number = getattr(tflite.BuiltinOperator, kind)
        tflite.OperatorCodeStart(builder)
        tflite.OperatorCodeAddDeprecatedBuiltinCode(builder, min(number, 127))
        tflite.OperatorCodeAddBuiltinCode(builder, number)
        tflite.OperatorCodeAddVersion(builder, 2 if kind in ("DEPTHWISE_CONV_2D", "DEQUANTIZE") else 1)
        return tflite.OperatorCodeEnd(builder)


def table(builder, slots, **offsets):
    """A table of so many slots; `at3=offset` fills the third, `byte0=1` one with a byte."""
    builder.StartObject(slots)
    for name, value in offsets.items():
        if name.startswith("byte"):
            builder.PrependUint8Slot(int(name[4:]), value, 0)
        else:
            builder.PrependUOffsetTRelativeSlot(int(name[2:]), value, 0)
    return builder.EndObject()


def normalization(mean, std):
    """Metadata as TensorFlow Lite Support writes them: a model, its graph, an input, two process units."""
    builder = flatbuffers.Builder(256)
    numbers = [builder.CreateNumpyVector(np.asarray(values, np.float32)) for values in (mean, std)]
    options = table(builder, 2, at0=numbers[0], at1=numbers[1])
    other = table(builder, 1)
    units = [table(builder, 2, byte0=3, at1=other), table(builder, 2, byte0=1, at1=options)]
    tensor = table(builder, 7, at4=offsets(builder, units))
    graph = table(builder, 7, at2=offsets(builder, [tensor]))
    builder.Finish(table(builder, 8, at3=offsets(builder, [graph])), file_identifier=b"M001")
    return bytes(builder.Output())


def vector(builder, numbers):
    return builder.CreateNumpyVector(np.asarray(numbers, np.int32))


def offsets(builder, items):
    builder.StartVector(4, len(items), 4)
    for item in reversed(items):
        builder.PrependUOffsetTRelative(item)
    return builder.EndVector()


def small_net(half=False):
    """An image of 17x13 through most operators, in TFLite's usual order; float16 weights with `half`."""
    rng = np.random.default_rng(0)

    def draw(*shape):
        return rng.normal(size=shape).astype(np.float32) / 2

    file = TFLiteFile((1, 17, 13, 3))
    x = file.conv(file.input, draw(8, 3, 3, 3), draw(8), (1, 9, 7, 8), name="root", StrideW=2, StrideH=2,
                  FusedActivationFunction=RELU6)  # fmt: skip
    first = x
    x = file.conv(x, draw(1, 3, 3, 16), draw(16), (1, 9, 7, 16), depthwise=True, name="double")
    x = file.conv(x, draw(8, 1, 1, 16), draw(8), (1, 9, 7, 8), name="project")
    x = file.op("ADD", [x, first], (1, 9, 7, 8), "AddOptions")
    x = file.conv(x, draw(1, 3, 3, 8), draw(8), (1, 9, 7, 8), depthwise=True, name="atrous",
                  DilationWFactor=2, DilationHFactor=2, FusedActivationFunction=RELU6)  # fmt: skip
    features = x
    pooled = file.op("AVERAGE_POOL_2D", [x], (1, 1, 1, 8), "Pool2DOptions", Padding=1, StrideW=7, StrideH=9,
                     FilterWidth=7, FilterHeight=9)  # fmt: skip
    pooled = file.conv(pooled, draw(4, 1, 1, 8), draw(4), (1, 1, 1, 4), name="image_pooling",
                       FusedActivationFunction=RELU)  # fmt: skip
    pooled = file.op("RESIZE_BILINEAR", [pooled, file.constant("size", np.int32([9, 7]))], (1, 9, 7, 4),
                     "ResizeBilinearOptions", AlignCorners=True)  # fmt: skip
    x = file.op("CONCATENATION", [pooled, features], (1, 9, 7, 12), "ConcatenationOptions", Axis=3)
    weights = draw(5, 1, 1, 12)
    if half:
        stored = file.constant("logits/weights_half", weights.astype(np.float16))
        inputs = [x, file.op("DEQUANTIZE", [stored], weights.shape), file.constant("logits/bias", draw(5))]
        x = file.op("CONV_2D", inputs, (1, 9, 7, 5), "Conv2DOptions", name="logits", StrideW=1, StrideH=1)
    else:
        x = file.conv(x, weights, draw(5), (1, 9, 7, 5), name="logits")
    file.op("RESIZE_BILINEAR", [x, file.constant("whole", np.int32([17, 13]))], (1, 17, 13, 5),
            "ResizeBilinearOptions", AlignCorners=True)  # fmt: skip
    return file
