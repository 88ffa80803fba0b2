"""Nets written in Python: `L.Convolution(n.data, kernel_size=3, ...)` and `n.to_proto()`.

`layers` and `params` (L and P) make what they are asked for: L.X is the function that adds a layer of type X,
P.X.Y the value Y of XParameter.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from typing_extensions import override

from ..formats import caffe_pb2

_LISTS = (list, tuple, range, np.ndarray)


def param_name_dict() -> dict[str, str]:
    """For each layer type with fields of its own the field that holds them: "Pooling": "pooling"."""
    fields = caffe_pb2.LayerParameter.DESCRIPTOR.fields
    return {
        field.message_type.name.removesuffix("Parameter"): field.name.removesuffix("_param")
        for field in fields
        if field.name.endswith("_param")
    }


_param_names = param_name_dict()


def assign_proto(proto: Any, name: str, val: Any) -> None:
    """Sets a field of a message: dicts are messages, lists repeated fields, one value a list of one."""
    field = getattr(proto, name)
    if hasattr(field, "extend"):
        for item in val if isinstance(val, _LISTS) else [val]:
            if isinstance(item, dict):
                _fill(field.add(), item)
            else:
                field.append(_plain(item))
    elif isinstance(val, dict):
        _fill(field, val)
    else:
        setattr(proto, name, _plain(val))


def _fill(message: Any, values: dict[str, Any]) -> None:
    for name, value in values.items():
        assign_proto(message, name, value)


def _plain(value: Any) -> Any:
    """A NumPy number as Python's: messages take no other."""
    return value.item() if isinstance(value, np.generic) else value


class Function:
    """A layer: its type, the Tops it reads and its parameters; `tops` is what it writes.

    Of the parameters `ntop` (1 unless given) tells how many tops it has, `in_place` that they are its
    bottoms.
    Raises TypeError where an input is no Top.
    """

    def __init__(self, type_name: str, inputs: Iterable[Any], params: dict[str, Any]) -> None:
        self.type_name = type_name
        self.inputs = tuple(inputs)
        for index, given in enumerate(self.inputs):
            if not isinstance(given, Top):
                raise TypeError(f"{type_name} input {index} is not a Top (type is {type(given)})")
        self.params = params
        self.ntop = params.pop("ntop", 1)
        self.in_place = params.pop("in_place", False)
        self.tops = tuple(Top(self, number) for number in range(self.ntop))


class Top:
    """A blob: the one of this number that the layer `fn` writes."""

    def __init__(self, fn: Function, n: int) -> None:
        self.fn = fn
        self.n = n

    def to_proto(self) -> Any:
        """A NetParameter of all layers that this blob needs."""
        return to_proto(self)


class _Writer:
    """Writes layers in the order in which they are needed; nameless blobs are called by type and count."""

    def __init__(self, names: "dict[Top | Function, str]") -> None:
        self.names = names
        self.counts: Counter[str] = Counter()
        self.written: dict[Function, Any] = {}

    def add(self, last: Function) -> None:
        """The layer behind all that it reads; no recursion, for nets are deeper than Python's stack."""
        waiting = [last]
        while waiting:
            function = waiting[-1]
            missing = [bottom.fn for bottom in function.inputs if bottom.fn not in self.written]
            if missing:
                waiting.append(missing[0])
                continue
            waiting.pop()
            if function not in self.written:
                self.written[function] = self.layer(function)

    def layer(self, function: Function) -> Any:
        layer = caffe_pb2.LayerParameter(type=function.type_name)
        layer.bottom.extend(self.written[bottom.fn].top[bottom.n] for bottom in function.inputs)
        tops = layer.bottom if function.in_place else [self.name(top) for top in function.tops]
        layer.top.extend(tops)
        # Called as its first top, which in place does not have the blob's name.
        layer.name = self.name(function.tops[0] if function.tops else function)
        for key, value in function.params.items():
            assign_proto(self.holder(layer, key), key, value)
        return layer

    def holder(self, layer: Any, field: str) -> Any:
        """The message that has the field: the parameters of the layer's type or the layer."""
        of_type = _param_names.get(layer.type)
        if of_type and not field.endswith("param"):
            message = getattr(layer, f"{of_type}_param")
            if field in message.DESCRIPTOR.fields_by_name:
                return message
        return layer

    def name(self, named: "Top | Function") -> str:
        if named not in self.names:
            kind = named.fn.type_name if isinstance(named, Top) else named.type_name
            self.counts[kind] += 1
            self.names[named] = f"{kind}{self.counts[kind]}"
        return self.names[named]


def _net(functions: Iterable[Function], names: "dict[Top | Function, str]") -> Any:
    writer = _Writer(names)
    for function in functions:
        writer.add(function)
    net = caffe_pb2.NetParameter()
    net.layer.extend(writer.written.values())
    return net


def to_proto(*tops: Top) -> Any:
    """A NetParameter of all layers that these blobs need, called by type and count: Convolution1."""
    return _net((top.fn for top in tops), {})


def _function(named: Any) -> Function:
    return named.fn if isinstance(named, Top) else named


class NetSpec:
    """Blobs by name: `n.conv1 = L.Convolution(n.data, ...)`; layers without tops have a name alike.

    A blob under two names has the last of them.
    """

    tops: dict[str, Any]

    def __init__(self) -> None:
        object.__setattr__(self, "tops", {})

    @override
    def __setattr__(self, name: str, value: Any) -> None:
        self.tops[name] = value

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "tops":  # what copy and pickle ask for
            raise AttributeError(name)
        try:
            return self.tops[name]
        except KeyError:
            raise AttributeError(f"this NetSpec has no blob {name!r}") from None

    def __setitem__(self, key: str, value: Any) -> None:
        self.tops[key] = value

    def __getitem__(self, item: str) -> Any:
        return self.tops[item]

    def to_proto(self) -> Any:
        """A NetParameter of all layers that the named blobs need, in the order in which they were named."""
        for name, value in self.tops.items():
            if not isinstance(value, (Top, Function)):
                raise TypeError(f"{name} is neither a blob nor a layer but {type(value).__name__}")
        return _net(map(_function, self.tops.values()), {value: name for name, value in self.tops.items()})


class Layers:
    """L: L.X(*bottoms, **fields) adds a layer of type X and gives its top, its tops or else itself."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)

        def layer(*bottoms: Any, **fields: Any) -> Any:
            function = Function(name, bottoms, fields)
            if function.ntop == 0:
                return function
            return function.tops[0] if function.ntop == 1 else function.tops

        return layer


class _Values:
    def __init__(self, message: str) -> None:
        self._message = message

    def __getattr__(self, name: str) -> Any:
        return getattr(getattr(caffe_pb2, f"{self._message}Parameter"), name)


class Parameters:
    """P: P.Pooling.MAX is the value MAX of PoolingParameter."""

    def __getattr__(self, name: str) -> _Values:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Values(name)


layers = Layers()
params = Parameters()
