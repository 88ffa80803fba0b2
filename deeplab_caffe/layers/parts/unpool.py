"""Values put back where a pooling found them, as Upsample and Unpooling do."""

import torch
from torch import Tensor

from ...types import Pair
from ..base import Layer


def places_of(layer: Layer, mask: Tensor, size: Pair) -> Tensor:
    """The mask (N, C, h, w) as places (N, C, h * w) in planes of `size`; DeepLabError for one outside."""
    places = mask.detach().to(torch.int64).flatten(2)
    inside = (places >= 0) & (places < size[0] * size[1])
    if not inside.all():
        wrong = int(places[~inside][0])
        raise layer.error("bottom", f"place {wrong} in the mask, the top has {size[0]}x{size[1]} of them")
    return places
