"""HDF5Data: batches of rows from HDF5 files, in file order."""

from collections.abc import Iterator
from itertools import count

import numpy as np
import torch
from torch import Tensor
from typing_extensions import override

from ..errors import DeepLabError
from ..formats.hdf5 import is_numeric, is_set, member, open_hdf5, read_set
from ..images import image_list
from ..types import Shape
from .base import Layer, register


@register("HDF5Data")
class HDF5Data(Layer):
    """One top per data set of that name; `source` lists the files, a line each.

    Batches run on over the ends of files and start again after the last. `shuffle` draws the order of the
    files and of the rows in each, for each round anew. Of several training processes each takes the rows of
    every `ranks`-th batch.
    """

    bottom_count = (0, 0)
    top_count = (1, None)

    @override
    def setup(self) -> None:
        """Reads the fields; the files are opened with the first batch."""
        self.param = self.definition.param.hdf5_data_param
        if not self.param.source:
            raise self.error("hdf5_data_param.source", "missing")
        self.at_least("hdf5_data_param.batch_size", self.param.batch_size, 1)
        if self.definition.param.HasField("transform_param"):
            raise self.error("transform_param", "this layer transforms nothing")
        self._next: tuple[np.ndarray, ...] | None = None
        self.seek(0)

    @override
    def seek(self, passes: int) -> None:
        super().seek(passes)
        first = self.context.batch(passes, self.param.batch_size)[0]
        self._rows, self._next, self._skip = self._read_rows(first), None, 0

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        """The batch size, then each data set's own row shape."""
        return [(self.param.batch_size, *row.shape) for row in self._peek()]

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        """Fills the tops with the next rows."""
        for n in range(self.param.batch_size):
            for top, row in zip(tops, self._peek(), strict=True):
                if tuple(top[n].shape) != row.shape:
                    raise self.error(
                        "hdf5_data_param.source", f"rows of shape {row.shape} follow {top[n].shape}"
                    )
                top[n].copy_(torch.from_numpy(row))
            self._next = None
        self._skip = (self.context.ranks - 1) * self.param.batch_size
        self.passes += 1

    def _peek(self) -> tuple[np.ndarray, ...]:
        if self._next is None:
            for _ in range(self._skip):
                next(self._rows)
            self._skip, self._next = 0, next(self._rows)
        return self._next

    def _read_rows(self, first: int) -> Iterator[tuple[np.ndarray, ...]]:
        """All rows over and over, from number `first` on."""
        files = image_list.read_list(self.param.source)
        total = sum(len(self._read_file(file)[0]) for file in files) if first else 1
        skip = first % total
        for round_number in count(first // total):
            chance = image_list.generator(self.context.seed, round_number)
            order = chance.permutation(len(files)) if self.param.shuffle else range(len(files))
            for index in order:
                sets = self._read_file(files[index])
                rows = chance.permutation(len(sets[0])) if self.param.shuffle else range(len(sets[0]))
                for row in rows[skip:]:
                    yield tuple(np.asarray(values[row]) for values in sets)
                skip = max(0, skip - len(rows))

    def _read_file(self, entry: image_list.Entry) -> list[np.ndarray]:
        def fail(message: str) -> Exception:
            return self.error("hdf5_data_param.source", f"{entry.where}: {entry.image}: {message}")

        sets = []
        with self.naming(f"hdf5_data_param.source: {entry.where}"), open_hdf5(entry.image) as file:
            for name in self.definition.tops:
                item = member(file, name)
                if is_set(item) and item.shape and not is_numeric(item):
                    raise DeepLabError(f"{entry.image}: data set '{name}' holds {item.dtype}, numbers wanted")
                if not is_set(item) or not item.shape:
                    raise DeepLabError(
                        f"{entry.image}: no data set '{name}'; it has "
                        + (", ".join(map(str, file)) or "none")
                    )
                sets.append(read_set(item, entry.image))
        if len({len(values) for values in sets}) != 1 or not len(sets[0]):
            raise fail(f"the data sets have {[len(values) for values in sets]} rows")
        return sets
