"""The inner form of a net: whatever dialect the file was in, this is what the rest of the package sees."""

from dataclasses import dataclass, field
from typing import Any

from ..errors import DeepLabError
from . import caffe_pb2
from .dialect import Dialect


@dataclass(frozen=True)
class ParamSpec:
    """One entry of Caffe's `param { }` (v1: `param`, `blobs_lr`, `weight_decay`): sharing and multipliers."""

    name: str = ""
    lr_mult: float = 1.0
    decay_mult: float = 1.0


@dataclass(frozen=True)
class LayerDefinition:
    """One layer. `param` is the superset LayerParameter message in V2 layout (convolution_param, ...).

    `type` is the V2 name ("Convolution", "ImageSegData"); `dialect` is that of the file, for the few
    layers whose meaning differs; `line` is where the layer starts in `source`. added: not in the file, but
    put in between to run it.
    """

    name: str
    type: str
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    param: Any
    params: tuple[ParamSpec, ...] = ()
    dialect: Dialect = Dialect.V2
    line: int = 0
    source: str = ""
    added: bool = False

    def __getstate__(self) -> dict[str, Any]:
        return _packed(self)

    def __setstate__(self, state: dict[str, Any]) -> None:
        _unpack(self, state)

    def error(self, field_name: str, message: str) -> DeepLabError:
        """A one-line error that names file, line, layer, type and field."""
        return DeepLabError(
            f"{self.source}:{self.line}: layer '{self.name}' ({self.type}): {field_name}: {message}"
        )


@dataclass(frozen=True)
class NetDefinition:
    """A net after filtering by phase, level and stage, in file order.

    `inputs`: the net-level `input:` fields with their shapes (layers of type Input stay layers); () where the
    file does not tell it. `dialect_reason`: what settled the dialect. `elsewhere`: blobs that only layers of
    other phases, levels or stages make, each with such a layer's name.
    """

    name: str
    dialect: Dialect
    inputs: dict[str, tuple[int, ...]]
    layers: tuple[LayerDefinition, ...]
    source: str = ""
    param: Any = field(default=None, repr=False)
    dialect_reason: str = ""
    elsewhere: dict[str, str] = field(default_factory=dict)

    def __getstate__(self) -> dict[str, Any]:
        return _packed(self)

    def __setstate__(self, state: dict[str, Any]) -> None:
        _unpack(self, state)


def _packed(definition: LayerDefinition | NetDefinition) -> dict[str, Any]:
    """The fields, the message as bytes: pickle cannot find the class of a generated message by its name."""
    state = dict(vars(definition))
    if definition.param is not None:
        state["param"] = type(definition.param).DESCRIPTOR.name, definition.param.SerializeToString()
    return state


def _unpack(definition: LayerDefinition | NetDefinition, state: dict[str, Any]) -> None:
    if state["param"] is not None:
        name, data = state["param"]
        state = state | {"param": getattr(caffe_pb2, name).FromString(data)}
    vars(definition).update(state)
