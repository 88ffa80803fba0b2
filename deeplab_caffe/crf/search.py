"""Grid search of the dense CRF's parameters on scores and ground truth of a list of images."""

import hashlib
import itertools
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import DeepLabError
from ..evaluation import charts, metrics
from ..formats.files import check_archive, open_file, reading, replacing
from ..types import Bytes, Doubles, Floats
from .dense_crf import DenseCRF
from .lattice import Lattice, bilateral_lattice, position_lattice
from .parameters import KERNEL_FIELDS, CRFParameters, Std

Image = tuple[Bytes, Floats, Bytes]  # RGB, energies (H, W, labels), truth (H, W)


@dataclass(frozen=True)
class Grid:
    """The values to try of each parameter, all combinations of them."""

    pos_std: tuple[float, ...] = (3,)
    pos_w: tuple[float, ...] = (3,)
    bi_xy_std: tuple[float, ...] = (40, 50, 60, 70, 80, 90, 100)
    bi_rgb_std: tuple[float, ...] = (3, 4, 5, 6, 7, 8, 9, 10)
    bi_w: tuple[float, ...] = (5, 10)
    iterations: int = 10

    def points(self) -> list[CRFParameters]:
        """All combinations, the last field fastest. Raises DeepLabError for values out of range."""
        values = (getattr(self, field) for field in KERNEL_FIELDS)
        return [CRFParameters(self.iterations, *point) for point in itertools.product(*values)]


class Search:
    """Confusion counts of every point of a grid, kept in a folder after each image so that a run can go on.

    Raises DeepLabError if the folder holds the counts of another grid or list.
    """

    def __init__(
        self, grid: Grid, images: list[str], folder: str | os.PathLike[str], num_classes: int
    ) -> None:
        self.grid, self.images, self.num_classes = grid, images, num_classes
        self.points = grid.points()
        self.file = Path(folder) / "counts.npz"
        settings = json.dumps([asdict(grid), images, num_classes])
        self._key = hashlib.sha256(settings.encode()).hexdigest()
        self.done = 0
        # Without a CRF, then one for each point.
        self.counts = np.zeros((1 + len(self.points), num_classes, num_classes), np.int64)
        if self.file.exists():
            self._read()

    def run(
        self,
        read: Callable[[str], Image],
        threads: int | None = None,
        on_image: Callable[[], None] = lambda: None,
    ) -> None:
        """Goes through the images that are not done; `read` gives an image's data."""
        for name in self.images[self.done :]:
            self.add(self.counts_of(name, read(name), threads))
            on_image()

    def counts_of(self, name: str, image: Image, threads: int | None = None) -> NDArray[np.int64]:
        """The confusion counts of an image: without a CRF, then of each point. Changes nothing."""
        rgb, energy, truth = image
        if energy.shape[2] != self.num_classes:
            raise DeepLabError(f"{name}: {energy.shape[2]} labels, {self.num_classes} wanted")
        if truth.shape != rgb.shape[:2]:
            raise DeepLabError(f"{name}: ground truth {truth.shape}, image {rgb.shape[:2]}")
        counts = np.empty_like(self.counts)
        counts[0] = self._confusion(truth, energy.argmin(2))
        for number, labels in self._maps(rgb, energy, threads):
            counts[1 + number] = self._confusion(truth, labels)
        return counts

    def add(self, counts: NDArray[np.int64]) -> None:
        """Adds, and keeps, the counts of the next image that is not done."""
        self.counts += counts
        self.done += 1
        self._write()

    def mean_iou(self) -> Doubles:
        """Mean IoU of each point so far."""
        return np.array([metrics.mean_iou(counts) for counts in self.counts[1:]])

    def rows(self) -> Iterable[dict[str, float]]:
        """Each point with its measures; the first row has no CRF (NaN for its parameters)."""
        for point, counts in zip([None, *self.points], self.counts, strict=True):
            yield {field: getattr(point, field, float("nan")) for field in KERNEL_FIELDS} | {
                "mean_iou": metrics.mean_iou(counts),
                "pixel_accuracy": metrics.pixel_accuracy(counts),
                "mean_recall": metrics.mean_recall(counts),
            }

    def _maps(
        self, rgb: Bytes, energy: Floats, threads: int | None
    ) -> Iterator[tuple[int, NDArray[np.int16]]]:
        """Each point's number and label map; lattices are built once for each standard deviation."""
        height, width = rgb.shape[:2]
        order = sorted(
            range(len(self.points)), key=lambda i: (self.points[i].bi_xy_std, self.points[i].bi_rgb_std, i)
        )
        positions: dict[Std, Lattice] = {}
        last: tuple[tuple[Std, Std], Lattice] | None = None
        for number in order:
            point = self.points[number]
            model = DenseCRF(*energy.shape, threads=threads).unary(energy)
            if point.pos_w != 0:
                if point.pos_std not in positions:
                    positions[point.pos_std] = position_lattice(height, width, point.pos_std, threads)
                model.add(positions[point.pos_std], point.pos_w)
            if point.bi_w != 0:
                stds = point.bi_xy_std, point.bi_rgb_std
                if last is None or last[0] != stds:
                    last = stds, bilateral_lattice(rgb, *stds, threads)
                model.add(last[1], point.bi_w)
            yield number, model.step(point.iterations).map()

    def _confusion(self, truth: NDArray, labels: NDArray) -> NDArray[np.int64]:
        return metrics.confusion(truth, labels, self.num_classes)

    def _read(self) -> None:
        with (
            open_file(self.file) as file,
            reading(self.file, "damaged, remove it: not the counts of a search"),
            np.errstate(invalid="ignore", over="ignore"),  # of sizes that make no sense
        ):
            check_archive(file, self.file)
            with np.load(file, allow_pickle=False) as stored:
                key, done, counts = str(stored["key"]), int(stored["done"]), np.asarray(stored["counts"])
        if not 0 <= done <= len(self.images) or counts.dtype != np.int64:
            raise DeepLabError(f"{self.file}: damaged, remove it: counts of {done} images")
        if key != self._key or counts.shape != self.counts.shape:
            raise DeepLabError(
                f"{self.file}: of a search with another grid or list; remove it or choose a folder"
            )
        self.done, self.counts = done, counts

    def _write(self) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self.file) as file:
            np.savez(file, key=self._key, done=self.done, counts=self.counts)


def write_table(path: str | os.PathLike[str], search: Search) -> None:
    """CSV: the parameters and measures of each point, the best mean IoU first."""
    rows = sorted(search.rows(), key=lambda row: -np.nan_to_num(row["mean_iou"], nan=-1))
    lines = [",".join(rows[0])]
    lines += [",".join("" if np.isnan(v) else f"{v:.6g}" for v in row.values()) for row in rows]
    with replacing(path) as file:
        file.write(("\n".join(lines) + "\n").encode())


def write_heat_map(path: str | os.PathLike[str], search: Search) -> None:
    """Picture: mean IoU over bi_xy_std and bi_rgb_std for each bi_w, the best over the other parameters."""
    grid = search.grid
    sizes = [len(getattr(grid, field)) for field in KERNEL_FIELDS]
    values = search.mean_iou().reshape(sizes).max((0, 1)) * 100
    figure, axes = charts.figure(1 + 5 * len(grid.bi_w), 4.5, columns=len(grid.bi_w))
    for number, (axis, weight) in enumerate(zip(axes, grid.bi_w, strict=True)):
        cells = charts.draw_heat_map(axis, values[:, :, number], np.nanmin(values), np.nanmax(values), "%.1f")
        axis.set_title(f"bilateral weight {weight:g}")
        axis.set_xlabel("colour standard deviation")
        axis.set_ylabel("position standard deviation, pixels")
        axis.set_xticks(range(len(grid.bi_rgb_std)), [f"{v:g}" for v in grid.bi_rgb_std])
        axis.set_yticks(range(len(grid.bi_xy_std)), [f"{v:g}" for v in grid.bi_xy_std])
    figure.colorbar(cells, ax=axes, label="mean IoU, %")
    charts.save(figure, path)
