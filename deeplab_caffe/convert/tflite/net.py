"""The net that a TFLite graph becomes, while it is built: text, parameters, which blob holds which tensor."""

import re
from collections.abc import Iterable, Sequence
from math import prod
from typing import Any

import numpy as np
import torch

from ...errors import DeepLabError
from ...formats.records import LayerBlobs
from ...formats.tflite import TFLiteGraph, TFLiteOperator
from ...generate.net_text import NetText
from ...types import Floats, Pair, Shape

INPUT = "data"
_LONGEST_NAME = 100
_MOST_VALUES = 1 << 29  # 2 GB; a hostile file may give one constant to many operators
_ACTIVATIONS: dict[int, tuple[str, str, dict[str, Any]]] = {
    1: ("relu", "ReLU", {}),
    2: ("relu", "Clip", {"clip_param": {"min": -1, "max": 1}}),
    3: ("relu", "Clip", {"clip_param": {"min": 0, "max": 6}}),
    4: ("tanh", "TanH", {}),
}


class TFLiteNet:
    """Takes layers one after the other.

    blobs: the blob that holds a tensor. unchecked: tensors whose shape the blob need not have. layers: the
    parameters. left_out: operators that have no layer, for people to read.
    """

    def __init__(self, graph: TFLiteGraph, net: NetText) -> None:
        self.graph, self.net = graph, net
        self.blobs: dict[int, str] = {}
        self.unchecked: set[int] = set()
        self.layers: list[LayerBlobs] = []
        self.left_out: list[str] = []
        self._names = {INPUT}
        self._values = 0
        self._by_size: dict[Pair, str] = {}
        self._constants: dict[int, int] = {}
        self._makers: dict[int, TFLiteOperator] = {}
        self._readers: dict[int, list[TFLiteOperator]] = {}
        for operator in graph.operators:
            self._makers |= dict.fromkeys(operator.outputs, operator)
            for number in operator.inputs:
                self._readers.setdefault(number, []).append(operator)

    def fail(self, operator: TFLiteOperator, message: str) -> DeepLabError:
        """A one-line error that names file, operator and the tensor it makes."""
        name = self.graph.tensors[operator.outputs[0]].shown
        return DeepLabError(
            f"{self.graph.source}: operator {operator.number} ({operator.kind}) of '{name}': {message}"
        )

    def option(self, operator: TFLiteOperator, name: str) -> Any:
        """A number of the operator's options; 0 where the file has no options."""
        if operator.options is None:
            return 0
        try:
            return getattr(operator.options, name)()
        except Exception:  # whatever flatbuffers makes of wrong offsets, and another operator's options
            raise self.fail(operator, f"{name}: not in the file") from None

    def shape(self, number: int) -> Shape:
        """(N, H, W, C) of a tensor; one without a plane has one of 1x1. DeepLabError: it has other axes."""
        tensor = self.graph.tensors[number]
        if not 1 <= len(tensor.shape) <= 4:
            raise DeepLabError(
                f"{self.graph.source}: tensor '{tensor.shown}': "
                f"shape {list(tensor.shape)}, 1 to 4 axes wanted"
            )
        return (*tensor.shape[:1], *[1] * (4 - len(tensor.shape)), *tensor.shape[1:])

    def size(self, number: int) -> Pair:
        """Height and width of a tensor."""
        return self.shape(number)[1:3]  # type: ignore[return-value]

    def tensor(self, operator: TFLiteOperator, index: int) -> int:
        """The number of the operator's input `index`. DeepLabError: there is none."""
        if index >= len(operator.inputs) or operator.inputs[index] < 0:
            raise self.fail(operator, f"no input {index}")
        return operator.inputs[index]

    def blob(self, operator: TFLiteOperator, index: int = 0) -> str:
        """The blob with the operator's input `index`. DeepLabError: it is a constant, or not made yet."""
        number = self.tensor(operator, index)
        if number not in self.blobs:
            name = self.graph.tensors[number].name
            raise self.fail(operator, f"'{name}' is a constant, or read before anything makes it")
        return self.blobs[number]

    def is_constant(self, operator: TFLiteOperator, index: int) -> bool:
        """Whether the operator's input `index` is a constant."""
        number = self.tensor(operator, index)
        return number in self._constants or self.graph.tensors[number].data is not None

    def same_constant(self, operator: TFLiteOperator) -> bool:
        """Notes that the operator's output is the constant that it reads; False if that is none."""
        if not self.is_constant(operator, 0):
            return False
        number = self.tensor(operator, 0)
        self._constants[operator.outputs[0]] = self._constants.get(number, number)
        return True

    def values(self, operator: TFLiteOperator, index: int) -> Floats:
        """A constant of floats that the operator reads. DeepLabError: it is none."""
        number = self.tensor(operator, index)
        number = self._constants.get(number, number)
        dtype = self.graph.tensors[number].dtype
        if dtype not in ("float32", "float16"):
            raise self.fail(operator, f"'{self.graph.tensors[number].shown}': {dtype} given, floats wanted")
        return self.graph.values(number)

    def integers(self, operator: TFLiteOperator, index: int) -> list[int]:
        """A constant of integers that the operator reads, flat. DeepLabError: it is none."""
        tensor = self.graph.tensors[self.tensor(operator, index)]
        if tensor.dtype not in ("int32", "int64") or prod(tensor.shape) > 64:
            raise self.fail(operator, f"'{tensor.shown}': a few constant integers wanted")
        return [int(value) for value in self.graph.values(operator.inputs[index]).flatten()]

    def maker(self, number: int) -> TFLiteOperator | None:
        """The operator that makes a tensor; None of an input or a constant."""
        return self._makers.get(number)

    def only_reader(self, number: int) -> TFLiteOperator | None:
        """The operator that alone reads a tensor; None if there are others, or it is an output."""
        readers = self._readers.get(number, [])
        return readers[0] if len(readers) == 1 and number not in self.graph.outputs else None

    def blob_of_size(self, size: Pair) -> str | None:
        """A blob of that height and width: the image, or the one made last."""
        if size == self.size(self.graph.inputs[0]):
            return INPUT
        return self._by_size.get(size) if size != (1, 1) else None

    def layer(
        self,
        operator: TFLiteOperator,
        kind: str,
        bottoms: str | Sequence[str],
        blobs: Iterable[Floats] = (),
        name: str = "",
        **fields: Any,
    ) -> None:
        """Adds a layer that makes the operator's output, and the activation the operator ends with.

        name: by default the output's. blobs: the layer's parameters; fields: of LayerParameter.
        """
        output = operator.outputs[0]
        name = self.name(name or self.graph.tensors[output].name, operator)
        blob = self.net.layer(name, kind, bottoms, name, **fields)
        arrays = [torch.from_numpy(np.ascontiguousarray(array)) for array in blobs]
        self._values += sum(array.numel() for array in arrays)
        if self._values > _MOST_VALUES:
            raise self.fail(operator, "more parameters than a caffemodel holds")
        if arrays:
            self.layers.append(LayerBlobs(name, kind, arrays))
        if operator.options is not None and hasattr(operator.options, "FusedActivationFunction"):
            activation = self.option(operator, "FusedActivationFunction")
            if activation and activation not in _ACTIVATIONS:
                raise self.fail(operator, f"activation {activation} has no layer")
            if activation:
                suffix, layer, own = _ACTIVATIONS[activation]
                self.net.layer(self.name(f"{name}/{suffix}", operator), layer, blob, blob, **own)
        self.made(output, blob)

    def made(self, number: int, blob: str) -> None:
        """Notes which blob holds a tensor."""
        self.blobs[number] = blob
        if len(self.graph.tensors[number].shape) == 4 and number not in self.unchecked:
            self._by_size[self.size(number)] = blob

    def name(self, wanted: str, operator: TFLiteOperator) -> str:
        """A name for a layer, not taken yet, that a prototxt can say."""
        plain = re.sub(r"[^\w./-]", "_", wanted.partition(";")[0], flags=re.ASCII)[:_LONGEST_NAME]
        plain = plain or f"operator_{operator.number}"
        name, number = plain, 1
        while name in self._names:
            number += 1
            name = f"{plain}_{number}"
        self._names.add(name)
        return name
