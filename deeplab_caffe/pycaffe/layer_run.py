"""A layer at its place in a net: runs forwards and backwards on the net's blobs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..autograd import accumulating
from ..errors import DeepLabError
from ..layers import Layer
from ..layers.dummy_data import DummyData
from ..layers.input import Input
from ..layers.memory_data import MemoryData
from ..layers.parts.caffe_blob import Blob
from ..layers.python import PythonLayer
from .backward_plan import Needs
from .parameter_blob import ParameterBlob


@dataclass
class _Graph:
    """A forward that autograd can go back through: the bottoms as its leaves, the tops."""

    leaves: list[Tensor]
    tops: list[Tensor]


class LayerRun:
    """What Caffe's net does with one layer: Reshape, Forward, Backward.

    In the train phase a layer that runs backwards is remembered by autograd as it runs forwards; in the test
    phase it runs forwards once more when a backward pass wants it.
    """

    def __init__(
        self,
        layer: Layer,
        bottoms: Sequence[Blob],
        tops: Sequence[Blob],
        blobs: Sequence[Blob],
        needs: Needs,
    ) -> None:
        self.layer, self.needs = layer, needs
        self.bottoms, self.tops, self.blobs = list(bottoms), list(tops), list(blobs)
        self._in_place = [any(top is bottom for top in self.tops) for bottom in self.bottoms]
        self._before: list[Tensor] | None = None  # the bottoms that the last forward overwrote
        self._graph: _Graph | None = None
        if isinstance(layer, PythonLayer):
            layer.bottom_blobs, layer.top_blobs = self.bottoms, self.tops
        if isinstance(layer, DummyData):
            for top, filler in zip(self.tops, layer.chosen, strict=True):
                if _is_constant(filler):
                    top.data[...] = 0 if filler is None else filler.value
        for top, weight in zip(self.tops, layer.loss_weights, strict=True):
            if weight:
                top.diff[...] = weight

    def reshape(self) -> None:
        """The tops follow the bottoms."""
        layer = self.layer
        if isinstance(layer, PythonLayer):
            layer.reshape()
            return
        if not isinstance(layer, Input):
            shapes = layer.shape([bottom.shape for bottom in self.bottoms])
            for top, shape in zip(self.tops, shapes, strict=True):
                top.reshape(*shape)
        if layer.type in ("Split", "Reshape", "Flatten"):
            for top in self.tops:
                top.data_memory = self.bottoms[0].data_memory
                if layer.type != "Split":
                    top.diff_memory = self.bottoms[0].diff_memory

    def forward(self) -> float:
        """Fills the tops; their share of the net's loss."""
        layer = self.layer
        self.reshape()
        self._graph = self._before = None
        for blob in self.blobs:
            if isinstance(blob, ParameterBlob):
                blob.refresh()
        if isinstance(layer, PythonLayer):
            layer.user.forward(self.bottoms, self.tops)
        elif isinstance(layer, MemoryData):
            batch = layer.next_batch()
            for name, top in zip(layer.definition.tops, self.tops, strict=True):
                if name in batch:
                    top.data_tensor.copy_(batch[name])
        elif isinstance(layer, DummyData):
            self._draw(layer)
        elif not self._shares:
            self._compute()
        return self._loss()

    @property
    def _shares(self) -> bool:
        """Whether the tops are there already."""
        tops = [top.data_memory for top in self.tops]
        return self.layer.fed_by_caller or (
            bool(tops and self.bottoms)
            and all(memory is self.bottoms[0].data_memory for memory in tops)
            and not any(self._in_place)
        )

    def _draw(self, layer: DummyData) -> None:
        """Random fillers draw anew in each forward; what constant ones gave stays, as in Caffe."""
        drawn = [torch.empty(top.shape) for top in self.tops]
        layer.forward([], drawn)
        for top, values, filler in zip(self.tops, drawn, layer.chosen, strict=True):
            if not _is_constant(filler):
                top.data_tensor.copy_(values)

    def _compute(self) -> None:
        layer, bottoms = self.layer, [bottom.data_there for bottom in self.bottoms]
        if self.needs.layer and any(self._in_place):
            pairs = zip(bottoms, self._in_place, strict=True)
            self._before = [x.clone() if overwritten else x for x, overwritten in pairs]
        if self.needs.layer and layer.context.phase == "train":
            self._graph = self._recorded(self._before or bottoms)
            for blob, values in zip(self.tops, self._graph.tops, strict=True):
                blob.data_there.copy_(values.detach())
                values.data = blob.data_there  # its own memory goes
            return
        tops = [top.data_there for top in self.tops]
        if any(self._in_place) and not layer.in_place:
            made = [torch.empty_like(top) for top in tops]
            layer.compute(bottoms, made)
            for top, values in zip(tops, made, strict=True):
                top.copy_(values)
        else:
            layer.compute(bottoms, tops)

    def _recorded(self, bottoms: Sequence[Tensor]) -> _Graph:
        """A forward for autograd."""
        wanted = self.needs.bottoms
        # `.data` has a version of its own: the blob may be written to, as Caffe lets it be.
        leaves = [x.data.requires_grad_(w) for x, w in zip(bottoms, wanted, strict=True)]
        with torch.enable_grad():
            return _Graph(leaves, self.layer.forward_train(leaves))

    def _loss(self) -> float:
        loss = 0.0
        for top, weight in zip(self.tops, self.layer.loss_weights, strict=True):
            if weight:
                loss += torch.dot(top.data_there.view(-1), top.diff_there.view(-1)).item()
        return loss

    def backward(self) -> None:
        """Fills the diffs of the bottoms and adds to those of the parameters, from the diffs of the tops."""
        layer = self.layer
        if not self.needs.layer:
            return
        if isinstance(layer, PythonLayer):
            layer.user.backward(self.tops, list(self.needs.bottoms), self.bottoms)
        elif layer.type == "Split":
            self._add_up()
        elif layer.type not in ("Reshape", "Flatten"):
            self._differentiate()

    def _add_up(self) -> None:
        if self.needs.bottoms[0]:
            first, *others = (top.diff_there for top in self.tops)
            total = self.bottoms[0].diff_there.copy_(first)
            for diff in others:
                total.add_(diff)

    def _differentiate(self) -> None:
        if not any(self.needs.bottoms) and not self.blobs:
            return
        diffs = [top.diff_there for top in self.tops]
        try:
            graph = self._graph or self._recorded(self._before or [b.data_there for b in self.bottoms])
            for blob in self.blobs:
                if isinstance(blob, ParameterBlob):
                    blob.show_gradient()
            pairs = [(top, diff) for top, diff in zip(graph.tops, diffs, strict=True) if top.requires_grad]
            if pairs:
                tops, incoming = zip(*pairs, strict=True)
                with accumulating():
                    torch.autograd.backward(tops, [diff.clone() for diff in incoming], retain_graph=True)
        except DeepLabError:  # the layer has no gradient
            if any(diff.any() for diff in diffs):
                raise
            graph = _Graph([x.data_there.detach() for x in self.bottoms], [])
        for leaf, bottom, wanted in zip(graph.leaves, self.bottoms, self.needs.bottoms, strict=True):
            if wanted:
                gradient, leaf.grad = leaf.grad, None
                bottom.diff_there.copy_(torch.zeros_like(leaf) if gradient is None else gradient)


def _is_constant(filler: Any) -> bool:
    return filler is None or filler.type == "constant"
