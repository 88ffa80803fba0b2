"""HDF5Output: gathers two blobs in an HDF5 file, as data sets `data` and `label`."""

import os
from pathlib import Path

from torch import Tensor
from typing_extensions import override

from ..types import Shape
from .base import Layer, register


@register("HDF5Output")
class HDF5Output(Layer):
    """Bottoms: data, label. The first batch replaces the file, each following one is appended to it."""

    remembers = True
    bottom_count = (2, 2)
    top_count = (0, 0)

    @override
    def setup(self) -> None:
        """Reads the fields."""
        self.path = Path(self.definition.param.hdf5_output_param.file_name)
        if not self.path.name:
            raise self.error("hdf5_output_param.file_name", "missing")
        self.started = False

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        """No tops."""
        if not all(bottoms):
            raise self.error("bottom", "a scalar has no rows to write")
        return []

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        """Writes the batch."""
        import h5py  # only nets with such a layer pay for it

        arrays = {name: b.cpu().numpy() for name, b in zip(("data", "label"), bottoms, strict=True)}
        try:
            if self.started:
                with h5py.File(self.path, "r+") as file:
                    for name, array in arrays.items():
                        file[name].resize(len(file[name]) + len(array), axis=0)
                        file[name][-len(array) :] = array
                return
            self.path.parent.mkdir(parents=True, exist_ok=True)
            temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.tmp")
            with h5py.File(temporary, "w") as file:
                for name, array in arrays.items():
                    file.create_dataset(name, data=array, maxshape=(None, *array.shape[1:]))
            os.replace(temporary, self.path)
            self.started = True
        except (OSError, TypeError, ValueError) as error:
            raise self.error(
                "hdf5_output_param.file_name", f"{self.path}: {' '.join(str(error).split())}"
            ) from None
