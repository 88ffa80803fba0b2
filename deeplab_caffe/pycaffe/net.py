"""`caffe.Net`: forward and backward by names, and whole data sets in batches."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np

from ..layers.parts.caffe_blob import Blob
from .assembly import NetLayer
from .raw_net import RawNet

Arrays = dict[str, Any]  # numpy arrays by name


class Net(RawNet):
    """See RawNet for how it is made.

    blobs, params, layers: `net.blobs["data"].data` and `net.params["conv1"][0].data` are float32 arrays that
    write through, `.diff` their gradients. A forward runs every layer by itself, with the original's bits.
    """

    @property
    def layer_dict(self) -> "OrderedDict[str, NetLayer]":
        """The layers by name."""
        return OrderedDict(zip(self._layer_names, self.layers, strict=True))

    @property
    def blob_loss_weights(self) -> "OrderedDict[str, float]":
        """How much each blob counts in the loss."""
        return OrderedDict(zip(self.blobs, self._blob_loss_weights, strict=True))

    @property
    def inputs(self) -> list[str]:
        """The blobs that the caller gives: the tops of Input layers."""
        names = self._blob_names
        return [names[i] for i in self._inputs]

    @property
    def outputs(self) -> list[str]:
        """The blobs that no layer reads."""
        names = self._blob_names
        return [names[i] for i in self._outputs]

    @property
    def top_names(self) -> "OrderedDict[str, list[str]]":
        """By layer the names of its tops."""
        return OrderedDict((layer.name, list(layer.definition.tops)) for layer in self.engine.layers)

    @property
    def bottom_names(self) -> "OrderedDict[str, list[str]]":
        """By layer the names of its bottoms."""
        return OrderedDict((layer.name, list(layer.definition.bottoms)) for layer in self.engine.layers)

    def forward(
        self,
        blobs: Sequence[str] | None = None,
        start: str | None = None,
        end: str | None = None,
        **inputs: Any,
    ) -> Arrays:
        """Runs the layers from `start` to `end`, both included; without, from the first and to the last.

        inputs: an array for each of the net's inputs, of the shape that its blob has; without, the blobs'
        values stay. Returns the net's outputs, or the tops of `end`, and `blobs` besides, by name. The arrays
        are views: the next forward changes them.
        """
        first = 0 if start is None else self._layer_names.index(start)
        last = len(self.layers) - 1 if end is None else self._layer_names.index(end)
        wanted = [*(self.outputs if end is None else self.top_names[end]), *(blobs or ())]
        if inputs:
            if set(inputs) != set(self.inputs):
                raise ValueError(f"Input blob arguments do not match net inputs: {', '.join(self.inputs)}")
            for name, array in inputs.items():
                _fill(self.blobs[name], "data", array, f"Input '{name}'")
        self._forward(first, last)
        return {name: self.blobs[name].data for name in dict.fromkeys(wanted)}

    def backward(
        self,
        diffs: Sequence[str] | None = None,
        start: str | None = None,
        end: str | None = None,
        **tops: Any,
    ) -> Arrays:
        """Runs the layers backwards from `start` down to `end`, both included.

        tops: diffs for the net's outputs, all of them; without, those of the blobs stay (a loss's is its
        weight). Returns the diffs of the net's inputs, or of the bottoms of `end`, and `diffs` besides, by
        name. Diffs of parameters are added to what is there (see clear_param_diffs).
        """
        first = len(self.layers) - 1 if start is None else self._layer_names.index(start)
        last = 0 if end is None else self._layer_names.index(end)
        wanted = [*(self.inputs if end is None else self.bottom_names[end]), *(diffs or ())]
        if tops:
            if set(tops) != set(self.outputs):
                raise ValueError(f"Top diff arguments do not match net outputs: {', '.join(self.outputs)}")
            for name, array in tops.items():
                _fill(self.blobs[name], "diff", array, f"Diff '{name}'")
        self._backward(first, last)
        return {name: self.blobs[name].diff for name in dict.fromkeys(wanted)}

    def forward_all(self, blobs: Sequence[str] | None = None, **inputs: Any) -> Arrays:
        """`forward` for any number of items, in batches of the size that the net's blobs have."""
        results = [_copies(self.forward(blobs=blobs, **batch)) for batch in self._batch(inputs)]
        return _joined(results, _length(inputs))

    def forward_backward_all(
        self, blobs: Sequence[str] | None = None, diffs: Sequence[str] | None = None, **arrays: Any
    ) -> tuple[Arrays, Arrays]:
        """`forward` and `backward` in batches: arrays for inputs, for outputs' diffs, or for both."""
        ahead = {name: arrays[name] for name in self.inputs if name in arrays}
        back = {name: arrays[name] for name in self.outputs if name in arrays}
        values, gradients = [], []
        for inputs, tops in zip_longest(self._batch(ahead), self._batch(back), fillvalue=Arrays()):
            values.append(_copies(self.forward(blobs=blobs, **inputs)))
            gradients.append(_copies(self.backward(diffs=diffs, **tops)))
        return _joined(values, _length(arrays)), _joined(gradients, _length(arrays))

    def _batch(self, arrays: Mapping[str, Any]) -> Iterator[Arrays]:
        """The arrays in batches, the last filled up with zeros."""
        if not arrays:
            return
        size = next(iter(self.blobs.values())).shape[0]
        for at in range(0, _length(arrays), size):
            batch = {name: np.asarray(array[at : at + size]) for name, array in arrays.items()}
            for name, items in batch.items():
                if len(items) < size:
                    padding = np.zeros((size - len(items), *items.shape[1:]), items.dtype)
                    batch[name] = np.concatenate([items, padding])
            yield batch

    def set_input_arrays(self, data: np.ndarray, labels: np.ndarray) -> None:
        """Items for the MemoryData layer that the net begins with.

        data: (N, channels, height, width); labels: (N,) or (N, 1, 1, 1); float32, contiguous, N a multiple of
        the batch. They are not copied. RuntimeError for others.
        """
        if labels.ndim == 1:
            labels = np.ascontiguousarray(labels[:, None, None, None])
        self._set_input_arrays(data, labels)


def _fill(blob: Blob, part: str, array: Any, what: str) -> None:
    if np.shape(array)[:1] != blob.shape[:1]:
        raise ValueError(f"{what} is not batch sized: {np.shape(array)} given, {blob.shape} wanted")
    getattr(blob, part)[...] = array


def _copies(arrays: Arrays) -> Arrays:
    return {name: array.copy() for name, array in arrays.items()}


def _length(arrays: Mapping[str, Any]) -> int:
    return len(next(iter(arrays.values())))


def _joined(batches: Sequence[Arrays], count: int) -> Arrays:
    """The items of all batches, without those of the padding."""
    if not batches:
        return {}
    return {name: np.concatenate([np.atleast_1d(b[name]) for b in batches])[:count] for name in batches[0]}
