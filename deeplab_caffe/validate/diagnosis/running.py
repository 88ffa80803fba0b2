"""Runs nets that were changed, just as far as they must."""

import numpy as np
import torch
from torch import Tensor

from ...engine.execution import OnLayer
from ...engine.net import Net
from ...errors import DeepLabError
from ...formats.net_definition import NetDefinition
from ...layers import Layer
from ...layers.parameters.parameter import Parameter
from ...types import Floats
from .flow import Value
from .variant import Inputs, Variant


class EnoughError(Exception):
    """Raised by what watches a forward, when it has all it wants."""


def changed_net(net: Net, definition: NetDefinition, variant: Variant) -> Net:
    """`definition`, which has layers of `net`, with a change, and with the parameters of `net`."""
    context = net.context
    changed = Net(
        variant.definition(definition),
        phase=context.phase,
        device=context.device,
        precision=context.precision,
        threads=context.threads,
    )
    changed.share(net)
    if variant.weights is not None:
        own: dict[int, Parameter] = {}  # layers that share a parameter go on sharing it
        for layer in changed.layers:
            layer.blobs = [own.setdefault(id(blob), _empty(blob)) for blob in layer.blobs]
        changed.load(variant.weights)
    if variant.parameter is not None:
        _change_parameters(changed, variant)
    return changed


def _empty(blob: Parameter) -> Parameter:
    return Parameter(blob.shape, device=blob.device)


def _change_parameters(net: Net, variant: Variant) -> None:
    assert variant.parameter is not None
    own: dict[int, Parameter] = {}
    for layer in net.layers:
        for number, blob in enumerate(layer.blobs):
            if id(blob) in own:
                layer.blobs[number] = own[id(blob)]
                continue
            values = variant.parameter(layer.definition, number, blob.values().cpu().numpy())
            if values is not None:
                layer.blobs[number] = own[id(blob)] = _empty(blob)
                layer.blobs[number].data = torch.from_numpy(np.ascontiguousarray(values, np.float32))


def run(net: Net, on_layer: OnLayer, inputs: Inputs) -> None:
    """A forward, to its end or until `on_layer` has enough. DeepLabError: the net does not go."""
    given = {name: array for name, array in inputs.items() if name in net.inputs}
    try:
        net.forward(on_layer=on_layer, **given)
    except EnoughError:
        pass
    except RuntimeError as error:  # torch's, for sizes that do not go together
        raise DeepLabError(" ".join(str(error).split())) from None


def captured(net: Net, wanted: set[Value], inputs: Inputs) -> dict[Value, Floats]:
    """Blobs of a run, which ends when all are there."""
    found: dict[Value, Floats] = {}

    def on_layer(index: int, layer: Layer, tops: dict[str, Tensor]) -> None:
        found.update({(index, name): array_of(top) for name, top in tops.items() if (index, name) in wanted})
        if found.keys() >= wanted:
            raise EnoughError

    run(net, on_layer, inputs)
    return found


def array_of(tensor: Tensor, copy: bool = True) -> Floats:
    """The tensor as float32; without `copy` perhaps its own memory, which the net will use again."""
    array = tensor.detach().float().cpu().contiguous().numpy()
    return array.copy() if copy else array
