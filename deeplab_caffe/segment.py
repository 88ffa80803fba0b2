"""From a photo to class scores and labels: pads to a size the net aligns on, runs it, crops back."""

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np
import torch

from . import graph, ops, transforms
from .errors import DeepLabError
from .formats.net_definition import NetDefinition
from .metrics import argmax_labels
from .net import Net
from .transforms import Bytes, Floats


class Segmenter:
    """A deploy net (one image input, one score map as output) together with its preprocessing.

    model, weights and the remaining options are those of Net. mean: B, G, R, subtracted from the image.
    output: the blob with the scores, needed only if the net has several outputs.
    """

    def __init__(
        self,
        model: str | PathLike[str] | NetDefinition,
        weights: str | PathLike[str] | None = None,
        mean: Sequence[float] = transforms.MEAN,
        output: str | None = None,
        variables: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        self.net = Net(model, weights, variables=variables, **options)
        self.mean = mean
        source = self.net.definition.source
        if not self.net.inputs:
            raise DeepLabError(
                f"{source}: the net feeds itself from data layers; photos need a deploy net with `input:` "
                "(for a net with data layers use the verb forward)"
            )
        if len(self.net.inputs) > 1:
            raise DeepLabError(f"{source}: one input wanted, it has {', '.join(self.net.inputs)}")
        self.input, self._shape = next(iter(self.net.inputs.items()))
        if len(self._shape) != 4 or self._shape[1] not in (1, 3):
            raise DeepLabError(f"{source}: input '{self.input}' is {graph.text(self._shape)}, no image")
        if len(mean) not in (1, self._shape[1]):
            raise DeepLabError(
                f"mean: {len(mean)} values given, the net's images have {self._shape[1]} channels"
            )
        if output is None and len(self.net.outputs) != 1:
            raise DeepLabError(
                f"{source}: choose one of its outputs, {', '.join(self.net.outputs) or 'none'}, as the scores"
            )
        self.output = output or next(iter(self.net.outputs))
        self._sizes: dict[int, int | None] = {}
        self._aligned: dict[int, int] = {}

    @property
    def color(self) -> bool:
        """Whether the net wants colour images."""
        return self._shape[1] == 3

    def scores(self, image: Bytes) -> Floats:
        """Scores (labels, H, W) for BGR bytes (H, W, 3), one for each pixel.

        Scores smaller than the image are enlarged as Interp does it: bilinear, corners on corners.
        """
        if image.ndim != 3 or image.shape[2] != self._shape[1] or image.dtype != np.uint8 or not image.size:
            raise DeepLabError(
                f"image: {image.shape} {image.dtype} given, (H, W, {self._shape[1]}) bytes wanted"
            )
        height, width = image.shape[:2]
        rows, columns = self._align(height), self._align(width)
        data = transforms.pad(transforms.to_blob(image, self.mean), rows, columns)
        blob = self.net.forward(outputs=(self.output,), **{self.input: torch.from_numpy(data[None])})[
            self.output
        ]
        if blob.dim() != 4:
            raise DeepLabError(f"blob '{self.output}' is {graph.text(tuple(blob.shape))}, no map of scores")
        if blob.shape[2:] != (rows, columns):
            blob = ops.interp(blob.contiguous(), (rows, columns), threads=self.net.context.threads)
        return np.ascontiguousarray(blob[0, :, :height, :width].cpu().numpy())

    def labels(self, image: Bytes) -> Bytes:
        """Label map (H, W): the label of the highest score; of equal scores the highest label (ArgMax)."""
        return labels_of(self.scores(image))

    def _align(self, size: int) -> int:
        if size not in self._aligned:
            self._aligned[size] = transforms.aligned_size(size, self._score_size)
        return self._aligned[size]

    def _score_size(self, size: int) -> int | None:
        """Height of the scores for a square input of that size, from the layers' shapes alone."""
        if size not in self._sizes:
            net_graph = graph.connect(self.net.definition, self.net.layers)
            try:
                shapes = graph.infer(net_graph, {self.input: (1, self._shape[1], size, size)})
                self._sizes[size] = shapes[net_graph.blobs[self.output]][2]
            except (DeepLabError, KeyError, IndexError):
                self._sizes[size] = None
        return self._sizes[size]


def labels_of(scores: Floats) -> Bytes:
    """(labels, H, W) scores -> (H, W) labels; a single plane holds labels already (from ArgMax)."""
    if scores.shape[0] > 256:
        raise DeepLabError(f"{scores.shape[0]} labels do not fit a byte")
    labels = scores[0] if scores.shape[0] == 1 else argmax_labels(scores)
    return labels.astype(np.uint8)


def overlay(image: Bytes, labels: Bytes, colours: Bytes, opacity: float = 0.6) -> Bytes:
    """RGB (H, W, 3): the BGR image under its label colours (256, 3)."""
    mixed = image[:, :, ::-1] * (1 - opacity) + colours[labels] * opacity
    return mixed.round().astype(np.uint8)
