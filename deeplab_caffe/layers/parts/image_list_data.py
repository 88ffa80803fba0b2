"""What ImageSegData and ImageData share: a list of images, read by number and ahead of time."""

import os
from abc import abstractmethod
from typing import Any, Generic, TypeVar

import numpy as np
from typing_extensions import override

from ... import types
from ...errors import DeepLabError
from ...images import image_file, image_list
from ...images.prefetch import Prefetch
from ..base import Layer

Sample = TypeVar("Sample")

AHEAD = 2  # forwards whose samples are made while the net works (TRAIN)


class ImageListData(Layer, Generic[Sample]):
    """Sample number i of the list, which starts again at its end, depends on i and `context.seed` alone.

    Forward number p of rank r reads the samples from (p * ranks + r) * batch_size on.
    """

    bottom_count = (0, 0)
    field = "image_data_param"

    @override
    def setup(self) -> None:
        """Reads the fields of both layers; the list itself is read with the first image."""
        self.data = self.fields()
        self.transform = self.definition.param.transform_param
        if not self.data.source:
            raise self.error(f"{self.field}.source", "missing")
        self.at_least(f"{self.field}.batch_size", self.data.batch_size, 1)
        if bool(self.data.new_height) != bool(self.data.new_width):
            raise self.error(f"{self.field}.new_height", "give new_height and new_width, or neither")
        self.channels = 3 if self.data.is_color else 1
        if len(self.transform.mean_value) not in (0, 1, self.channels):
            raise self.error("transform_param.mean_value", f"1 or {self.channels} values wanted")
        self.train = self.context.phase == "train"
        threads = min(4, os.cpu_count() or 1) if self.train else 0
        self._samples: Prefetch[Sample] = Prefetch(self._make, threads)
        self._peeked: dict[int, Sample] = {}
        self._stream: image_list.Stream | None = None

    def fields(self) -> Any:
        """The layer's image_data_param."""
        return self.definition.param.image_data_param

    @override
    def seek(self, passes: int) -> None:
        super().seek(passes)
        self._peeked.clear()

    @abstractmethod
    def sample(self, entry: image_list.Entry, generator: "np.random.Generator") -> Sample:
        """What the layer reads for one line of the list; DeepLabError if it cannot."""

    def peek(self) -> Sample:
        """The first sample of the next forward."""
        number = self._numbers(self.passes)[0]
        if number not in self._peeked:
            self._read_list()
            self._peeked = {number: self._samples.take(number)}
        return self._peeked[number]

    def take(self) -> list[Sample]:
        """The samples of this forward; those of the following ones are begun."""
        numbers = self._numbers(self.passes)
        self._read_list()
        self.passes += 1
        ahead = range(self.passes, self.passes + AHEAD)
        self._samples.begin([*numbers, *(number for p in ahead for number in self._numbers(p))])
        return [self._peeked.pop(n) if n in self._peeked else self._samples.take(n) for n in numbers]

    def offset(self, size: int, crop: int, generator: "np.random.Generator") -> int:
        """Where a crop begins: anywhere (TRAIN), or so that it is the middle one (TEST)."""
        return int(generator.integers(size - crop + 1)) if self.train else (size - crop) // 2

    def read(self, entry: image_list.Entry) -> types.Bytes:
        """The image of a line."""
        return image_file.read_image(entry.image, color=self.data.is_color)

    def _numbers(self, passes: int) -> range:
        return self.context.batch(passes, self.data.batch_size)

    def _read_list(self) -> image_list.Stream:
        if self._stream is None:
            entries = image_list.read_list(self.data.source, self.data.root_folder)
            self._stream = image_list.Stream(
                entries, self.data.shuffle, self.data.rand_skip, self.context.seed
            )
        return self._stream

    def _make(self, number: int) -> Sample:
        entry = self._read_list()[number]
        try:
            return self.sample(entry, image_list.generator(self.context.seed, 0, number))
        except DeepLabError as error:
            raise self.error(f"{self.field}.source", f"{entry.where}: {error}") from None
