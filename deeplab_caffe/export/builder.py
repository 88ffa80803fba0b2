"""Builds a Program: names and shared parameters of modules, expressions, and a registry of layer types."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

from ..engine.folding import folded
from ..engine.torch_names import Entry, entries, module_names, state_dict
from ..errors import DeepLabError
from ..layers import Layer
from ..types import Pair, Shape
from .literals import text
from .nodes import ModuleClass, Node, Value

# (builder, layer, values of the bottoms) to the values of the tops.
Operator = Callable[["Builder", Any, list[Value]], list[Value]]
OPERATORS: dict[str, Operator] = {}


def operator(*types: str) -> Callable[[Operator], Operator]:
    """Function decorator: how layers of these types are said in PyTorch."""

    def add(function: Operator) -> Operator:
        for name in types:
            if name in OPERATORS:
                raise ValueError(f"the operator of {name} is registered twice")
            OPERATORS[name] = function
        return function

    return add


def refused(layer: Layer, reason: str) -> DeepLabError:
    """For what PyTorch, or the formats behind it, cannot say."""
    way = "--outputs BLOB ends the net at a blob before it"
    if layer.type == "DenseCRF":
        way = "--without-crf ends the net at its scores, and the verb crf refines them"
    return layer.error("type", f"cannot be exported: {reason}; {way}")


class Builder:
    """Collects the nodes. shapes: of each layer's bottoms and tops, for the layer that is being said."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.nodes: list[Node] = []
        self.values: dict[str, Tensor] = state_dict(layers)
        self.ties: list[tuple[str, str]] = []
        self.bottoms: list[Shape] = []
        self.tops: list[Shape] = []
        # For a convolution the BatchNorm and Scale layers that are folded into it.
        self.behind: Mapping[str, list[Layer]] = {}
        self._names = module_names(layers)
        self._owners = {id(entry.layer.blobs[entry.index]): entry for entry in entries(layers)}
        self._made: dict[tuple[Any, ...], str] = {}

    def call(self, text: str, *inputs: Value, axes: int | None = None, unary: bool = False) -> Value:
        """An expression of the inputs {0}, {1}...; axes: of its value, by default the first input's."""
        value = Value("x", inputs[0].axes if axes is None else axes)
        self.nodes.append(Node(list(inputs), [value], text, unary=unary))
        return value

    def same(self, layer: Any, x: Value, dilation: Pair = (1, 1), value: str = "") -> Value:
        """The bottom of a layer with same_pad, padded."""
        reach = [d * (k - 1) + 1 for k, d in zip(layer.kernel, dilation, strict=True)]
        if reach == [1, 1]:
            return x
        if any(r < s for r, s in zip(reach, layer.stride, strict=True)):
            raise refused(layer, "same_pad with windows smaller than their stride")
        given = [text(pair) for pair in (layer.kernel, layer.stride, dilation)][: 2 + (dilation != (1, 1))]
        return self.call(f"same({', '.join(['{0}', *given])}{value})", x)

    def split(self, text: str, x: Value, parts: int) -> list[Value]:
        """An expression that gives several values."""
        values = [Value("x", x.axes) for _ in range(parts)]
        self.nodes.append(Node([x], values, text))
        return values

    def module(self, layer: Layer, made: ModuleClass, arguments: dict[str, Any], *inputs: Value) -> Value:
        """The layer's own module, or that of a layer with the same parameters, called with `inputs`."""
        defaults = {p.name: p.default for p in made.parameters}
        blobs = [id(blob) for one in (layer, *self.behind.get(layer.name, ())) for blob in one.blobs]
        key = (made, *(defaults | arguments).items(), *blobs)
        name = self._made.get(key)
        if name is None:
            name = self._names[layer.name]
            if name in self._made.values():
                raise layer.error("name", "given twice: of layers with parameters only one has a name")
            self._made[key] = name
            self._take(layer, name)
        value = Value("x", inputs[0].axes)
        self.nodes.append(Node(list(inputs), [value], made=made, name=name, arguments=defaults | arguments))
        return value

    def _take(self, layer: Layer, name: str) -> None:
        """The values of a new module: its own, folded ones, or those that another layer owns."""
        if layer.name in self.behind:
            values = folded(layer, self.behind[layer.name])
            self.values |= zip((f"{name}.weight", f"{name}.bias"), values, strict=True)
            return
        for blob in layer.blobs:
            owner = self._owners.get(id(blob))
            if owner is not None and owner.layer is not layer:
                own = _own_name(owner, name)
                self.ties.append((own, owner.name))
                self.values[own] = self.values[owner.name].clone()


def _own_name(owner: Entry, module: str) -> str:
    return f"{module}.{owner.name.rpartition('.')[2]}"
