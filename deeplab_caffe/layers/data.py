"""Data: records of an LMDB, as nets for classification read them."""

import os

import torch
from torch import Tensor
from typing_extensions import override

from ..errors import DeepLabError
from ..formats.datum import datum_array, read_datum
from ..formats.lmdb_file import LmdbReader, is_lmdb
from ..images.image_file import read_image_bytes
from ..images.image_list import generator
from ..images.prefetch import Prefetch
from ..types import Floats, Shape
from .base import Layer, register
from .parts.transform import Transform

Sample = tuple[Floats, int]  # values (channels, h, w), label

AHEAD = 2  # forwards whose records are decoded while the net works (TRAIN)
LEVELDB = (
    "LevelDB is not read; make an LMDB of it, as docs/caffe-program.md says, or of the images: "
    "deeplab-caffe caffe convert_imageset --backend=lmdb ROOT/ LIST NEW_DB"
)


@register("Data")
class Data(Layer):
    """Tops: data (N, C, h, w) and, if asked for, label: (N,), in v1 (N, 1, 1, 1).

    Records follow in the order of their keys and start again after the last; record number i and what is
    random about it depend on i and `context.seed` alone. Of several training processes each takes every
    `ranks`-th batch. A Datum holds bytes, float_data, or an encoded image, whose channels come B, G, R.
    """

    bottom_count = (0, 0)
    top_count = (1, 2)

    @override
    def setup(self) -> None:
        """Reads the fields; the database is opened with the first record."""
        self.data = self.definition.param.data_param
        if not self.data.source:
            raise self.error("data_param.source", "missing")
        self.at_least("data_param.batch_size", self.data.batch_size, 1)
        # What lies there counts: LEVELDB is what a net says that says nothing.
        if self.data.backend == self.data.LEVELDB and not is_lmdb(self.data.source):
            raise self.error("data_param.backend", LEVELDB)
        self.transform = Transform(self)
        if self.transform.param.force_color and self.transform.param.force_gray:
            raise self.error("transform_param.force_gray", "given beside force_color")
        train = self.context.phase == "train"
        skip = self.data.rand_skip if train else 0
        self.start = int(generator(self.context.seed, 1).integers(skip)) if skip else 0
        self._reader: LmdbReader | None = None
        self._samples: Prefetch[Sample] = Prefetch(self._make, min(4, os.cpu_count() or 1) if train else 0)
        self._read: dict[int, tuple[str, bytes]] = {}  # records that are not decoded yet
        self._peeked: dict[int, Sample] = {}

    @override
    def seek(self, passes: int) -> None:
        super().seek(passes)
        self._peeked.clear()
        self._samples.begin([])

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        """The batch size, then the shape of the first record of the next batch."""
        number = self._numbers(self.passes)[0]
        if number not in self._peeked:
            self._read_records()
            self._peeked.clear()
            self._peeked[number] = self._samples.take(number)
        n = self.data.batch_size
        label = self.definition.dialect.top_shape(n)
        return [(n, *self._peeked[number][0].shape), label][: len(self.definition.tops)]

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        """Fills the tops with the next records."""
        numbers = self._numbers(self.passes)
        self._read_records()
        self._samples.begin(self._read)
        self.passes += 1
        for n, number in enumerate(numbers):
            sample = self._peeked.pop(number) if number in self._peeked else self._samples.take(number)
            values, label = sample
            if tuple(tops[0][n].shape) != values.shape:
                raise self.error(
                    "data_param.source",
                    f"record {number + self.start} has shape {values.shape} after {tuple(tops[0][n].shape)}: "
                    "a batch wants one size (batch_size: 1, or crop_size)",
                )
            tops[0][n].copy_(torch.from_numpy(values))
            if len(tops) == 2:
                tops[1][n] = label

    def _numbers(self, passes: int) -> range:
        return self.context.batch(passes, self.data.batch_size)

    def _read_records(self) -> None:
        """Reads the records of this forward, and those that are decoded ahead."""
        if self._reader is None:
            try:
                self._reader = LmdbReader(self.data.source)
            except DeepLabError as error:
                raise self.error("data_param.source", str(error)) from None
        ahead = AHEAD if self.context.phase == "train" else 0
        numbers = [n for p in range(self.passes, self.passes + ahead + 1) for n in self._numbers(p)]
        self._read = {n: self._read.get(n) or self._reader[self.start + n] for n in numbers}

    def _make(self, number: int) -> Sample:
        key, record = self._read[number]
        where = f"{self.data.source}: record '{key}'"
        try:
            datum = read_datum(record, where)
            if datum.encoded:
                image = read_image_bytes(datum.data, where, self._color())
                values = image[:, :, ::-1].transpose(2, 0, 1)
            else:
                values = datum_array(datum, where)
            try:
                return self.transform(values, generator(self.context.seed, 0, number)), datum.label
            except DeepLabError as error:
                raise DeepLabError(f"{where}: {error}") from None
        except DeepLabError as error:
            raise self.error("data_param.source", str(error)) from None

    def _color(self) -> bool | None:
        """Whether encoded images are read in colour; None: as they are stored."""
        if self.transform.param.force_color or self.data.force_encoded_color:
            return True
        return False if self.transform.param.force_gray else None
