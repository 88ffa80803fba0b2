"""From a photo to class scores and labels: pads to a size the net aligns on, runs it, crops back."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from os import PathLike
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .. import ops
from ..engine import dag
from ..engine.net import Net
from ..engine.weights import check_given
from ..errors import DeepLabError
from ..evaluation.metrics import argmax_labels
from ..formats.net_definition import NetDefinition
from ..images import preprocessing
from ..images.resize import smooth_resize
from ..layers.interp import Interp
from ..types import Bytes, Floats, Pair, plane
from . import padding, views
from .deploy_net import read_deploy_net


class Segmenter:
    """A deploy net (one image input, one score map as output) together with its preprocessing.

    model, weights and the remaining options are those of Net. mean: subtracted from the image, in the order
    of the net's channels; None: what the net's Input layer says (transform_param), else the released models'.
    With `image_data_param { new_height new_width }` there, images are resized to that, and their scores back.
    output: the blob with the scores, needed only if the net has several outputs. scales, flip: the image is
    also seen in other sizes, and mirrored; see views.py. pad_to: smaller images are padded with the
    mean, at the right and bottom, to this height and width before all else, as TensorFlow's evaluation does
    it (the image pooling of DeepLab v3 sees the padding). channel_order: of the images it is given, "rgb" as
    read_image and Pillow have them, or "bgr" as OpenCV has them; up to version 0.1 it was always "bgr".
    random_weights: without `weights` the parameters start from their fillers.

    Raises DeepLabError where a layer that the scores need got no weights: that would be no segmentation.
    """

    def __init__(
        self,
        model: str | PathLike[str] | NetDefinition,
        weights: str | PathLike[str] | None = None,
        mean: Sequence[float] | None = None,
        output: str | None = None,
        variables: Mapping[str, str] | None = None,
        scales: Sequence[float] = (1.0,),
        flip: bool = False,
        pad_to: tuple[int, int] = (0, 0),
        channel_order: str = "rgb",
        random_weights: bool = False,
        **options: Any,
    ) -> None:
        if channel_order not in ("rgb", "bgr"):
            raise DeepLabError(f"channel_order: {channel_order} given, rgb or bgr wanted")
        self.channel_order = channel_order
        self.scales, self.flip, self.pad_to = views.checked(scales), flip, pad_to
        if not isinstance(model, NetDefinition):
            rules = {name: options.pop(name) for name in ("level", "stages") if name in options}
            model = read_deploy_net(model, variables, phase=options.get("phase", "test"), **rules)
        self.net = Net(model, **options)
        source = self.net.definition.source
        if len(self.net.inputs) > 1:
            raise DeepLabError(f"{source}: one input wanted, it has {', '.join(self.net.inputs)}")
        self.input, self._shape = next(iter(self.net.inputs.items()))
        if len(self._shape) != 4 or self._shape[1] not in (1, 3):
            raise DeepLabError(f"{source}: input '{self.input}' is {dag.text(self._shape)}, no image")
        self.preprocessing = self._preprocessing(mean)
        self.resized_to = self._resized_to()
        if output is None and len(self.net.outputs) != 1:
            raise DeepLabError(
                f"{source}: choose one of its outputs, {', '.join(self.net.outputs) or 'none'}, as the scores"
            )
        self.output = output or next(iter(self.net.outputs))
        self._load(weights, random_weights)
        self._before_interp = self._find_before_interp()
        self._sizes: dict[int, int | None] = {}
        self._aligned: dict[int, int] = {}

    def _load(self, weights: str | PathLike[str] | None, random_weights: bool) -> None:
        """Fills the layers that the scores need, all of them."""
        layers = self.net.layers_for((self.output,))
        check_given(layers, weights, random_weights, self.net.definition.source)
        if weights is not None:
            self.net.fill(weights, layers)

    def _preprocessing(self, mean: Sequence[float] | None) -> preprocessing.Preprocessing:
        result = preprocessing.Preprocessing()
        fail: Callable[[str], DeepLabError] = DeepLabError
        for layer in self.net.definition.layers:
            if layer.type == "Input" and self.input in layer.tops and layer.param.HasField("transform_param"):
                result = preprocessing.Preprocessing.of(layer.param.transform_param)
                fail = partial(layer.error, "transform_param")
        if mean is not None:
            result, fail = replace(result, mean=mean), DeepLabError
        if problem := result.problem(self._shape[1]):
            raise fail(problem)
        return result

    def _resized_to(self) -> Pair | None:
        """Height and width that images are resized to; None: they keep theirs."""
        for layer in self.net.definition.layers:
            if layer.type == "Input" and self.input in layer.tops:
                size = layer.param.image_data_param.new_height, layer.param.image_data_param.new_width
                if 0 in size and size != (0, 0):
                    raise layer.error("image_data_param", "new_height and new_width wanted, or neither")
                return size if any(size) else None
        return None

    @property
    def averages(self) -> bool:
        """Whether `scores` gives probabilities: means over several sizes or mirror images."""
        return self.flip or self.scales != (1.0,)

    @property
    def color(self) -> bool:
        """Whether the net wants colour images."""
        return self._shape[1] == 3

    def rgb(self, image: Bytes) -> Bytes:
        """The image, given in `channel_order`, in the order R, G, B."""
        return image[:, :, ::-1] if self.channel_order == "bgr" else image

    def scores(self, image: Bytes) -> Floats:
        """Scores (labels, H, W) for RGB bytes (H, W, 3), one for each pixel; grey nets take (H, W, 1).

        Scores smaller than the image are enlarged as Interp does it: bilinear, corners on corners. With
        several scales or `flip` these are probabilities.
        """
        return self.score_map(image)[0].cpu().numpy()

    def score_map(self, image: Bytes) -> Tensor:
        """`scores` as a tensor (1, labels, H, W) on the net's device."""
        if image.ndim != 3 or image.shape[2] != self._shape[1] or image.dtype != np.uint8 or not image.size:
            raise DeepLabError(
                f"image: {image.shape} {image.dtype} given, (H, W, {self._shape[1]}) bytes wanted"
            )
        whole = plane(image.shape[:2])
        image = self.rgb(image)
        if self.resized_to and self.resized_to != whole:
            image = smooth_resize(image, *self.resized_to)
        height, width = image.shape[:2]
        blob = self.preprocessing.blob(image)
        data = torch.from_numpy(preprocessing.pad(blob[None], *self.pad_to))
        if self.averages:
            threads = self.net.context.threads
            scores = views.probabilities(self._view_scores, data, self.scales, self.flip, threads)
        else:
            scores = self.scores_of(data)
        scores = scores[:, :, :height, :width].contiguous()
        same = (height, width) == whole
        return scores if same else ops.interp(scores, whole, threads=self.net.context.threads)

    def map(self, data: Tensor) -> Tensor:
        """The old name of `scores_of`."""
        warnings.warn("Segmenter.map is now scores_of", DeprecationWarning, stacklevel=2)
        return self.scores_of(data)

    def scores_of(self, data: Tensor) -> Tensor:
        """Scores (1, labels, H, W) for a preprocessed image (1, channels, H, W)."""
        height, width = data.shape[2:]
        rows, columns = self.aligned(height), self.aligned(width)
        padded = torch.from_numpy(preprocessing.pad(data.numpy(), rows, columns))
        blob = self.run(padded, self.output)
        if blob.shape[2:] != (rows, columns):
            blob = ops.interp(blob, (rows, columns), threads=self.net.context.threads)
        return blob[:, :, :height, :width]

    def _view_scores(self, view: Tensor, size: Pair) -> Tensor:
        """The net's scores for a view of an image of `size`, before the Interp that enlarges them.

        Those of a view smaller than the image are first enlarged to what the image's own would be. Where the
        net has no such Interp, or the view has to be padded, they are as large as the view.
        """
        padded = any(self.aligned(n) != n for n in view.shape[2:])
        if not self._before_interp or padded:
            return self.scores_of(view)
        scores = self.run(view, self._before_interp)
        if view.shape[2] < size[0] or view.shape[3] < size[1]:
            height, width = self.shape(self._before_interp, size)[2:]
            scores = ops.interp(scores, (height, width), threads=self.net.context.threads)
        return scores

    def _find_before_interp(self) -> str:
        """The blob that the net's last layer, if it is a plain Interp, makes the scores from."""
        makers = (layer for layer in reversed(self.net.layers) if self.output in layer.definition.tops)
        maker = next(makers, None)
        plain = isinstance(maker, Interp) and maker.crop == (0, 0) and not maker.half_pixel
        bottom = maker.definition.bottoms[0] if maker and plain else ""
        return bottom if bottom != self.output else ""

    def run(self, data: Tensor, name: str) -> Tensor:
        """The blob `name`, a map of scores, for the input `data`."""
        inputs: dict[str, Any] = {self.input: data}
        blob = self.net.forward(outputs=(name,), **inputs)[name]
        if blob.dim() != 4:
            raise DeepLabError(f"blob '{name}' is {dag.text(tuple(blob.shape))}, no map of scores")
        return blob.contiguous()

    def labels(self, image: Bytes) -> Bytes:
        """Label map (H, W): the label of the highest score; of equal scores the highest label (ArgMax)."""
        return label_map(self.score_map(image)[0])

    def aligned(self, size: int) -> int:
        """The height or width that an image of that many pixels is padded to."""
        if size not in self._aligned:
            self._aligned[size] = padding.aligned_size(size, self._score_size)
        return self._aligned[size]

    def _score_size(self, size: int) -> int | None:
        """Height of the scores for a square input of that size, from the layers' shapes alone."""
        if size not in self._sizes:
            try:
                self._sizes[size] = self.shape(self.output, (size, size))[2]
            except (DeepLabError, IndexError):
                self._sizes[size] = None
        return self._sizes[size]

    def shape(self, name: str, size: Pair) -> tuple[int, ...]:
        """The shape of the blob `name` for an input of that height and width, computing nothing."""
        shapes = self.net.shapes_for(**{self.input: (1, self._shape[1], *size)})
        if name not in shapes:
            raise DeepLabError(f"{self.net.definition.source}: no blob is named '{name}'")
        return shapes[name]


def label_map(scores: Tensor) -> Bytes:
    """`labels_of` scores (labels, H, W) on any device."""
    if ops.backend_of(scores.device).is_gpu and 1 < scores.shape[0] <= 256:
        scores = ops.argmax(scores[None])[0][0]  # there, for the scores are many
    return labels_of(scores.cpu().numpy())


def labels_of(scores: Floats) -> Bytes:
    """(labels, H, W) scores -> (H, W) labels; a single plane holds labels already (from ArgMax)."""
    if scores.shape[0] > 256:
        raise DeepLabError(f"{scores.shape[0]} labels do not fit a byte")
    labels = scores[0] if scores.shape[0] == 1 else argmax_labels(scores)
    return labels.astype(np.uint8)


def overlay(image: Bytes, labels: Bytes, colours: Bytes, opacity: float = 0.6) -> Bytes:
    """RGB (H, W, 3): the RGB image under its label colours (256, 3)."""
    mixed = image * (1 - opacity) + colours[labels] * opacity
    return mixed.round().astype(np.uint8)
