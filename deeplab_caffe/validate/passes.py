"""What a net is run on: blobs that the caller gives, photos, or what its own data layers read."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np

from ..engine.net import Net
from ..errors import DeepLabError
from ..formats.net_definition import NetDefinition
from ..images import image_list, preprocessing
from ..images.image_file import read_image
from ..images.resize import smooth_resize
from ..layers.mat_write import file_ids
from ..types import Bytes, Floats, Pair, plane


class Photographer(Protocol):
    """What knows how photos become inputs of a net: a Segmenter."""

    net: Net
    input: str
    preprocessing: preprocessing.Preprocessing
    resized_to: Pair | None

    @property
    def color(self) -> bool:
        """Whether the net wants colour images."""

    def aligned(self, size: int) -> int:
        """The height or width that an image of that many pixels is padded to."""


@dataclass
class Pass:
    """One forward. name: of the image, "" if nothing tells. load: its inputs by name, none for a net that
    feeds itself. photo: what they are made from, to whose size scores are to be cut; resized: the net sees it
    in another size, so they are to be resized."""

    number: int
    name: str = ""
    load: Callable[[], dict[str, Floats]] = dict
    photo: Callable[[], Bytes] | None = None
    resized: bool = False

    @cached_property
    def size(self) -> Pair | None:
        """Height and width of the photo."""
        return None if self.photo is None else plane(self.photo().shape[:2])


def of_blobs(arrays: dict[str, Floats]) -> list[Pass]:
    """One pass with these inputs."""
    return [Pass(0, load=lambda: arrays)]


def of_data_layers(definition: NetDefinition, count: int) -> list[Pass]:
    """The first `count` passes of a net that feeds itself, named as MatWrite or the image list has them."""
    names = _ids(definition)
    return [Pass(i, names[i] if i < len(names) else "") for i in range(count)]


def _ids(definition: NetDefinition) -> list[str]:
    for layer in definition.layers:
        if layer.type == "MatWrite" and layer.param.mat_write_param.source:
            return file_ids(layer.param.mat_write_param.source, layer.param.mat_write_param.strip)
    for layer in definition.layers:
        data = layer.param.image_data_param
        if layer.type in ("ImageSegData", "ImageData") and data.batch_size == 1 and not data.shuffle:
            return [Path(entry.image).stem for entry in image_list.read_list(data.source)]
    return []


def of_photos(segmenter: Photographer, paths: list[str]) -> list[Pass]:
    """One pass a photo, prepared as `predict` does it. DeepLabError: two of the same name."""
    names = [Path(path).stem for path in paths]
    for name in names:
        if names.count(name) > 1:
            raise DeepLabError(f"{name}: two images of that name; one would be compared with the other's")
    return list(_photos(segmenter, paths, names))


def _photos(segmenter: Photographer, paths: list[str], names: list[str]) -> Iterator[Pass]:
    for number, (path, name) in enumerate(zip(paths, names, strict=True)):

        def photo(path: str = path) -> Bytes:
            return read_image(path, color=segmenter.color)

        def load(photo: Callable[[], Bytes] = photo) -> dict[str, Floats]:
            image = photo()
            if segmenter.resized_to:
                image = smooth_resize(image, *segmenter.resized_to)
            return {segmenter.input: padded(segmenter, segmenter.preprocessing.blob(image))}

        if not Path(path).is_file():
            raise DeepLabError(f"{path}: no such image")
        yield Pass(number, name, load, photo, segmenter.resized_to is not None)


def padded(segmenter: Photographer, planes: Floats) -> Floats:
    """A preprocessed photo (channels, H, W) as the net's input, of a size on which the net aligns."""
    height, width = planes.shape[1:]
    rows, columns = segmenter.aligned(height), segmenter.aligned(width)
    return np.ascontiguousarray(preprocessing.pad(planes[None], rows, columns))
