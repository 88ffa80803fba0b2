"""MatRead: feeds a net with the .mat files that MatWrite wrote."""

import torch
from torch import Tensor
from typing_extensions import override

from ..formats.mat import read_mat
from ..types import Shape
from .base import Layer, register
from .mat_write import file_ids


@register("MatRead")
class MatRead(Layer):
    """Top number t holds `<prefix><id>_blob_<t>.mat` of the next `batch_size` ids in `source`, endlessly.

    Without a source the ids are iter_0, iter_1, ... The files of a batch must have one shape, num 1 in each.
    """

    bottom_count = (0, 0)
    top_count = (1, None)

    @override
    def setup(self) -> None:
        """Reads the fields; the files are read with the first batch."""
        self.param = self.definition.param.mat_read_param
        self.at_least("mat_read_param.batch_size", self.param.batch_size, 1)
        self.at_least("mat_read_param.strip", self.param.strip, 0)
        self.position = 0
        self._ids: list[str] | None = None
        self._next: list[Tensor] | None = None

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        """The shapes of the next files, with the batch size in front."""
        return [(self.param.batch_size, *blob.shape[1:]) for blob in self._peek()]

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        """Fills the tops with the next files."""
        for n in range(self.param.batch_size):
            for top, blob in zip(tops, self._peek(), strict=True):
                if top.shape[1:] != blob.shape[1:]:
                    raise self.error(
                        "mat_read_param.batch_size",
                        f"{tuple(blob.shape)} in the same batch as {tuple(top.shape)}",
                    )
                top[n].copy_(blob[0])
            self._next = None
            self.position += 1

    def _peek(self) -> list[Tensor]:
        if self._next is None:
            tops = range(len(self.definition.tops))
            self._next = [self._read(f"{self.param.prefix}{self._id()}_blob_{top}.mat") for top in tops]
        return self._next

    def _id(self) -> str:
        if not self.param.source:
            return f"iter_{self.position}"
        if self._ids is None:
            self._ids = file_ids(self.param.source, self.param.strip)
        return self._ids[self.position % len(self._ids)]

    def _read(self, path: str) -> Tensor:
        blob = torch.as_tensor(read_mat(path))
        if blob.dim() != 4 or blob.shape[0] != 1:
            raise self.error(
                "mat_read_param.prefix", f"{path} holds {tuple(blob.shape)}, (1, C, H, W) wanted"
            )
        return blob
