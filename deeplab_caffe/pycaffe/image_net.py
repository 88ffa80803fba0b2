"""What Classifier and Detector share: a net of the test phase whose input takes images."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..formats import caffe_pb2
from ..types import Floats
from .net import Net
from .transformer import Transformer


class ImageNet(Net):
    """A net and, for its first input, a Transformer: `transformer`, `crop_dims`."""

    def __init__(
        self,
        model_file: str | os.PathLike[str],
        pretrained_file: str | os.PathLike[str],
        mean: NDArray | None = None,
        input_scale: Any = None,
        raw_scale: Any = None,
        channel_swap: Sequence[int] | None = None,
    ) -> None:
        super().__init__(model_file, caffe_pb2.TEST, weights=pretrained_file)
        name = self.inputs[0]
        self.transformer = Transformer({name: self.blobs[name].data.shape})
        self.transformer.set_transpose(name, (2, 0, 1))
        if mean is not None:
            self.transformer.set_mean(name, mean)
        if input_scale is not None:
            self.transformer.set_input_scale(name, input_scale)
        if raw_scale is not None:
            self.transformer.set_raw_scale(name, raw_scale)
        if channel_swap is not None:
            self.transformer.set_channel_swap(name, channel_swap)

    def _scores(self, images: Sequence[NDArray]) -> Floats:
        """The first output for images (H, W, K), each resized to the net's input, in batches."""
        name = self.inputs[0]
        batch = np.stack([self.transformer.preprocess(name, image) for image in images])
        inputs: dict[str, Any] = {name: batch}
        scores: Floats = self.forward_all(**inputs)[self.outputs[0]]
        return scores
