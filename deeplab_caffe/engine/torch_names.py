"""How PyTorch calls and lays out what Caffe's layers hold: "conv1_1.weight" for the first blob of conv1_1.

A module is called as its layer, made a Python identifier: letters, digits and "_" stay, anything else becomes
"_" ("conv1/7x7_s2": conv1_7x7_s2). A first digit gets "_" before it; a keyword or an attribute of torch's
modules ("type"), and a name that is taken, gets "_" behind it. Parameters that several layers share are
there once, under the first of them.
"""

import keyword
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..layers import Layer
from ..types import Shape

# Blob by blob; None: no entry of its own. Other types with parameters: weight, then bias.
_FIELDS: dict[str, tuple[str | None, ...]] = {
    "BatchNorm": ("running_mean", "running_var", None),
    "Bias": ("bias",),
}
_DEFAULT = ("weight", "bias")


@dataclass(frozen=True)
class Entry:
    """One tensor of a state dict, and the blob of Caffe's that holds it.

    name: "conv1_1.weight"; shape: PyTorch's, which is the blob's, but for axes of 1 in front of an old
    file's bias or matrix, and for the transposed matrix of an InnerProduct. BatchNorm's statistics are those
    that the divisor (its third blob) was applied to; back in Caffe the divisor is 1.
    """

    name: str
    layer: Layer
    index: int
    shape: Shape

    @property
    def transposed(self) -> bool:
        """Whether the blob is the transpose of the matrix (an InnerProduct with `transpose`)."""
        inner = self.layer.type == "InnerProduct" and self.index == 0
        return inner and bool(self.layer.definition.param.inner_product_param.transpose)

    def to_torch(self, blobs: Sequence[Tensor]) -> Tensor:
        """The entry's values from all blobs of the layer; a view of one where that is possible."""
        blob = blobs[self.index]
        if self.layer.type == "BatchNorm":
            divisor = blobs[2].reshape(())
            blob = blob * torch.where(divisor == 0, 0, 1 / divisor) if divisor != 1 else blob
        return blob.reshape(self.shape[::-1]).t() if self.transposed else blob.reshape(self.shape)

    def to_caffe(self, values: Tensor) -> Tensor:
        """The blob's values, in its shape, from those of the entry."""
        blob = values.t() if self.transposed else values
        return blob.reshape(self.layer.blobs[self.index].shape)


def module_names(layers: Iterable[Layer]) -> dict[str, str]:
    """For each layer's name that of its module, in order; of layers with one name, the first counts."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for layer in layers:
        if layer.name in names:
            continue
        name = re.sub(r"\W", "_", layer.name, flags=re.ASCII) or "_"
        name = f"_{name}" if name[0].isdigit() else name
        while (
            name in taken or keyword.iskeyword(name) or hasattr(torch.nn.Module, name) or name == "training"
        ):
            name += "_"
        names[layer.name] = name
        taken.add(name)
    return names


def entries(layers: Sequence[Layer]) -> list[Entry]:
    """The state dict's entries, in the order of the layers and of their blobs."""
    names = module_names(layers)
    found: list[Entry] = []
    seen: set[int] = set()
    for layer in layers:
        fields = _fields(layer)
        for index, blob in enumerate(layer.blobs):
            field = fields[index] if index < len(fields) else f"blob{index}"
            if field is not None and id(blob) not in seen:
                found.append(Entry(f"{names[layer.name]}.{field}", layer, index, _shape(layer, index)))
            seen.add(id(blob))
    return found


def state_dict(layers: Sequence[Layer]) -> dict[str, Tensor]:
    """The values of all entries: float32, contiguous, copies."""
    return {
        entry.name: entry.to_torch([blob.values() for blob in entry.layer.blobs]).cpu().contiguous().clone()
        for entry in entries(layers)
    }


def _fields(layer: Layer) -> tuple[str | None, ...]:
    if layer.type == "Scale" and len(layer.definition.bottoms) > 1:
        return ("bias",)  # the factor is the second bottom
    return _FIELDS.get(layer.type, _DEFAULT)


def _shape(layer: Layer, index: int) -> Shape:
    """PyTorch's: without the ones that four axes need, the matrix as (outputs, inputs)."""
    shape = layer.blobs[index].shape
    if layer.type in ("Convolution", "Deconvolution") and index == 1:
        return shape[-1:]
    if layer.type == "InnerProduct":
        if index == 1:
            return shape[-1:]
        shape = shape[-2:]
        return shape[::-1] if layer.definition.param.inner_product_param.transpose else shape
    if layer.type == "PReLU":
        return shape or (1,)
    return shape
