"""Gives the inputs, outputs and sizes of an ONNX graph the names that the net has for them."""

from collections.abc import Sequence
from typing import Any

_AXES = ("batch", "channels", "height", "width")


def rename(graph: Any, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Renames in place; what has such a name already and is something else gets "_" behind its own."""
    new = dict(zip((value.name for value in graph.input), inputs, strict=True))
    new |= dict(zip((value.name for value in graph.output), outputs, strict=True))
    used = {name for node in graph.node for name in (*node.input, *node.output)}
    used |= {tensor.name for tensor in graph.initializer}
    for name in set(new.values()) & used - set(new):
        free = f"{name}_"
        while free in used or free in new.values():
            free += "_"
        new[name] = free
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [new.get(name, name) for name in names]
    for value in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
        value.name = new.get(value.name, value.name)
    _name_sizes(graph)


def _name_sizes(graph: Any) -> None:
    """Sizes that may change are called by what they are, where the exporter numbers them: s98."""
    words: dict[str, str] = {}
    for value in graph.input:
        for axis, size in enumerate(value.type.tensor_type.shape.dim):
            if size.dim_param and axis < len(_AXES):
                words.setdefault(size.dim_param, _AXES[axis])
    for value in (*graph.input, *graph.output, *graph.value_info):
        for size in value.type.tensor_type.shape.dim:
            if size.dim_param:
                for symbol, word in words.items():
                    size.dim_param = size.dim_param.replace(symbol, word)
