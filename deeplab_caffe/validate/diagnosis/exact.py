"""What a blob should be but for roundings: the layers' formulas in float64."""

from collections.abc import Mapping

import numpy as np
import torch

from ...engine.net import Net
from ...layers.abilities import Windowed
from ...types import Doubles, Floats

_WORK = 3e10  # multiply-adds beyond which torch's float32 has to do


def exact_values(net: Net, inputs: Mapping[str, Floats], last: int, blob: str) -> Doubles:
    """The blob that layer number `last` leaves, in float64, or where that would take long, in float32.

    Layers without a formula run as they are.
    """
    dtype = torch.float64 if _work(net) < _WORK else torch.float32
    layers = net.layers[: last + 1]
    readers = {name: at for at, layer in enumerate(layers) for name in layer.definition.bottoms}
    readers[blob] = last
    values = {name: torch.from_numpy(np.ascontiguousarray(array)).to(dtype) for name, array in inputs.items()}
    with torch.no_grad():
        for at, layer in enumerate(layers):
            bottoms = [values[name] for name in layer.definition.bottoms]
            tops = layer.formula(bottoms, [parameter.values().cpu().to(dtype) for parameter in layer.blobs])
            if tops is None:
                tops = [torch.empty(shape) for shape in layer.shape([tuple(x.shape) for x in bottoms])]
                layer.forward([bottom.float().contiguous() for bottom in bottoms], tops)
            values.update(zip(layer.definition.tops, (top.to(dtype) for top in tops), strict=True))
            values = {
                name: value for name, value in values.items() if readers.get(name, -1) > at or at == last
            }
    return values[blob].double().numpy()


def _work(net: Net) -> int:
    shapes = {name: tuple(blob.shape) for name, blob in net.blobs.items()}
    work = 0
    for layer in net.layers:
        if isinstance(layer, Windowed):
            sides = layer.definition.bottoms, layer.definition.tops
            work += layer.multiply_adds(*([shapes[name] for name in side] for side in sides))[0]
    return work


def distance_from(values: Floats, exact: Doubles) -> float:
    """Norm of the difference over the norm of the exact values."""
    size = float(np.linalg.norm(exact))
    return float(np.linalg.norm(values.astype(np.float64) - exact)) / (size or 1.0)
