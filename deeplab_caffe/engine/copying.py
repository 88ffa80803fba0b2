"""Copies of a net, also by way of a file: what is kept of it, and how a net is made of that again."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import fields
from typing import Any, Protocol, TypeVar

from .. import ops
from ..formats.net_definition import NetDefinition
from ..layers import Context, Layer
from ..types import Shape
from .parameters import unique_parameters
from .weights import WeightReport


class Copied(Protocol):
    """What is copied of a Net."""

    definition: NetDefinition
    context: Context
    options: dict[str, Any]
    layers: list[Layer]
    report: WeightReport | None

    @property
    def inputs(self) -> dict[str, Shape]:
        """The blobs that forward must be given, with their current shapes."""

    def reshape(self, **shapes: Shape) -> None:
        """Sets the shapes of inputs."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Makes it from `state_of` another."""


AnyNet = TypeVar("AnyNet", bound=Copied)


def state_of(net: Copied) -> dict[str, Any]:
    """What the net was made of, its shapes, the values of its parameters, how far its layers have counted.

    A torch.nn.Parameter is there as itself: whoever copies a module along with its net copies it once.
    """
    return _without_parameters(net) | {
        "parameters": [blob.state() for blob in unique_parameters(net.layers)],
    }


def _without_parameters(net: Copied) -> dict[str, Any]:
    no_options = {"shapes_only", "bf16_kernels"}
    names = (field.name for field in fields(net.context) if field.name not in no_options)
    context = {name: getattr(net.context, name) for name in names}
    return {
        "definition": net.definition,
        "options": context | net.options,
        "bf16_kernels": net.context.bf16_kernels if net.context.precision == "bf16" else None,
        "shapes": net.inputs,
        "parameters": None,
        "passes": [layer.passes for layer in net.layers],
        "report": net.report,
    }


def same_kernels(state: dict[str, Any]) -> AbstractContextManager[None]:
    """Within, nets in bf16 are made with the kernels of the state's."""
    kernels = state.get("bf16_kernels")  # files from before there were several have none
    return nullcontext() if kernels is None else ops.choose_bf16_kernels(kernels)


def restore(net: Copied, state: dict[str, Any]) -> None:
    """Makes the net, which was created from the state's definition and options, what the state's was."""
    if state["parameters"] is not None:
        for blob, values in zip(unique_parameters(net.layers), state["parameters"], strict=True):
            blob.restore(values)
    for layer, passes in zip(net.layers, state["passes"], strict=True):
        if passes:
            layer.seek(passes)
    net.report = state["report"]
    if state["shapes"] != net.inputs:
        net.reshape(**state["shapes"])


def sharing_copy(net: AnyNet, **options: Any) -> AnyNet:
    """Another net that has the same parameters: what changes in one of them is seen by both.

    options: those of Net that it gets other than `net` has them.
    """
    copy = type(net).__new__(type(net))
    state = _without_parameters(net)
    copy.__setstate__(state | {"options": state["options"] | options})
    for own, layer in zip(copy.layers, net.layers, strict=True):
        own.blobs = list(layer.blobs)
    return copy
