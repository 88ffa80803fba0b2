"""MatWrite: writes each batch of its bottoms as .mat files, one a blob."""

from pathlib import Path

from torch import Tensor
from typing_extensions import override

from ..errors import DeepLabError
from ..formats.mat import write_mat
from ..images import image_list
from ..types import Shape
from .base import Layer, register


def file_ids(source: str, strip: int) -> list[str]:
    """The first word of each line of `source` without its last `strip` characters (".jpg", say)."""
    words = [line.split()[0] for _, line in image_list.read_lines(source)]
    return [word[: len(word) - strip] for word in words]


@register("MatWrite")
class MatWrite(Layer):
    """Batch number i of bottom number b goes to `<prefix><id i>_blob_<b>.mat`; ids come from `source`.

    Without a source the id is `iter_<i>`. Only every `period`-th batch is written. Missing folders are made.
    """

    remembers = True
    bottom_count = (1, None)
    top_count = (0, 0)

    @override
    def setup(self) -> None:
        """Reads the fields and the list."""
        self.param = self.definition.param.mat_write_param
        self.at_least("mat_write_param.period", self.param.period, 1)
        self.at_least("mat_write_param.strip", self.param.strip, 0)
        self.batch = 0
        self._ids: list[str] = []
        if self.param.source and not self.context.shapes_only:
            try:
                self._ids = file_ids(self.param.source, self.param.strip)
            except DeepLabError as error:
                raise self.error("mat_write_param.source", str(error)) from None

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        """No tops."""
        return []

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        """Writes the bottoms if it is their turn."""
        batch, self.batch = self.batch, self.batch + 1
        if batch % self.param.period:
            return
        name = self._id(batch)
        for number, bottom in enumerate(bottoms):
            path = Path(f"{self.param.prefix}{name}_blob_{number}.mat")
            path.parent.mkdir(parents=True, exist_ok=True)
            write_mat(path, bottom.cpu().numpy())

    def _id(self, batch: int) -> str:
        if not self.param.source:
            return f"iter_{batch}"
        if batch >= len(self._ids):
            raise self.error(
                "mat_write_param.source",
                f"{self.param.source} has {len(self._ids)} ids, batch {batch + 1} came",
            )
        return self._ids[batch]
