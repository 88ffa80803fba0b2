"""caffe.Detector: class scores of windows of images, as R-CNN has them (Girshick et al. 2014)."""

import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DeepLabError
from ..types import Floats
from .image_arrays import load_image, resize_image
from .image_net import ImageNet


class Detector(ImageNet):
    """A net of the test phase with weights, for windows of images.

    mean, input_scale, raw_scale, channel_swap: as the Transformer takes them. context_pad: how many pixels of
    the net's input, at each side, show what surrounds the window; where the image ends, the mean.
    """

    def __init__(
        self,
        model_file: str | os.PathLike[str],
        pretrained_file: str | os.PathLike[str],
        mean: NDArray | None = None,
        input_scale: Any = None,
        raw_scale: Any = None,
        channel_swap: Sequence[int] | None = None,
        context_pad: int | None = None,
    ) -> None:
        super().__init__(model_file, pretrained_file, mean, input_scale, raw_scale, channel_swap)
        self.configure_crop(context_pad)

    def detect_windows(
        self, images_windows: Iterable[tuple[str, Sequence[Sequence[float]]]]
    ) -> list[dict[str, Any]]:
        """Scores of windows, given as (image file, its windows), a window as (ymin, xmin, ymax, xmax).

        Returns for each window a dict of "window", "prediction", the net's first output, and "filename".
        """
        found: list[dict[str, Any]] = []
        crops = []
        for filename, windows in images_windows:
            image = load_image(filename)
            for window in windows:
                crops.append(self.crop(image, window))
                found.append({"window": window, "filename": filename})
        if not crops:
            return []
        for detection, prediction in zip(found, self._scores(crops), strict=True):
            detection["prediction"] = prediction
        return found

    def detect_selective_search(self, image_fnames: Iterable[str]) -> list[dict[str, Any]]:
        """Scores of the windows that Selective Search proposes; it is MATLAB's, and DeepLabError without."""
        try:
            import selective_search_ijcv_with_python as selective_search
        except ImportError:
            raise DeepLabError(
                "detect_selective_search: needs the module selective_search_ijcv_with_python and MATLAB; "
                "windows from elsewhere go to detect_windows"
            ) from None
        files = [os.path.abspath(name) for name in image_fnames]
        windows = selective_search.get_windows(files, cmd="selective_search_rcnn")
        return self.detect_windows(zip(files, windows, strict=True))

    def crop(self, im: NDArray, window: Sequence[float]) -> Floats:
        """The window (ymin, xmin, ymax, xmax) of an image (H, W, K), with its context if there is to be any.

        DeepLabError for a window without pixels.
        """
        top, left, bottom, right = (int(side) for side in window)
        crop: Floats = im[top:bottom, left:right]
        if not crop.size:
            raise DeepLabError(f"window {tuple(window)}: no pixels of an image of {im.shape[:2]}")
        return self._with_context(im, np.array(window, np.float64)) if self.context_pad else crop

    def _with_context(self, im: NDArray, window: NDArray) -> Floats:
        size = int(self.crop_dims[1])  # a square
        scale = size / (size - 2.0 * self.context_pad)
        half = (window[2:] - window[:2] + 1) / 2
        centre, reach = window[:2] + half, scale * half
        box = np.round(np.concatenate([centre - reach, centre + reach]))
        # From the box's pixels to those of the net's input.
        factors = size / (box[2:] - box[:2] + 1)
        pad = np.round(np.maximum(0, -box[:2]) * factors).astype(int)
        box = np.clip(box, 0, [*im.shape[:2]] * 2)
        shown = np.round((box[2:] - box[:2] + 1) * factors).astype(int)
        height, width = np.minimum(shown, size - pad)
        top, left, bottom, right = box.astype(int)
        crop: Floats = np.ones(self.crop_dims, np.float32) * self.crop_mean
        resized = resize_image(im[top:bottom, left:right], (height, width))
        crop[pad[0] : pad[0] + height, pad[1] : pad[1] + width] = resized
        return crop

    def configure_crop(self, context_pad: int | None) -> None:
        """Sets context_pad and, for it, crop_dims and crop_mean: the mean as images have it, (H, W, K)."""
        name = self.inputs[0]
        back = np.argsort(self.transformer.transpose[name])
        self.crop_dims = np.array(self.blobs[name].data.shape[1:])[back]
        self.context_pad = context_pad or 0
        mean = self.transformer.mean.get(name)
        if mean is None:
            self.crop_mean = np.zeros(self.crop_dims, np.float32)
            return
        mean = mean.transpose(back)
        if name in self.transformer.channel_swap:
            mean = mean[:, :, np.argsort(self.transformer.channel_swap[name])]
        self.crop_mean = mean / self.transformer.raw_scale.get(name, 1)
