"""`deeplab-caffe crf-search`: the CRF parameters that fit best, by grid search."""

from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..crf.parameters import AUTHORS, lacking
from ..errors import DeepLabError
from . import options
from .crf_options import Iterations
from .options import verb
from .workers import Ray, WithRay, Workers, cluster_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from ..crf.search import Image, Search


@verb("crf-search", cls=WithRay)
def crf_search(
    images: Annotated[
        Path, typer.Option("--list", metavar="TXT", help="Lines `image label`, as ImageSegData reads them.")
    ],
    features: Annotated[
        Path,
        typer.Option(
            "--scores", metavar="FOLDER", help="Per image <id>_blob_0.mat, <id>.mat, <id>.npy or <id>.bin."
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where results go.")],
    root: Annotated[str, typer.Option(help="Goes before the paths of the list.")] = "",
    pos_std: Annotated[str, typer.Option(help="Values to try, with commas between.")] = "3",
    pos_w: Annotated[str, typer.Option(help="The same.")] = "3",
    bi_xy_std: Annotated[str, typer.Option(help="The same.")] = "40,50,60,70,80,90,100",
    bi_rgb_std: Annotated[str, typer.Option(help="The same.")] = "3,4,5,6,7,8,9,10",
    bi_w: Annotated[str, typer.Option(help="The same.")] = "5,10",
    iterations: Iterations = AUTHORS.iterations,
    max_pixels: options.MaxPixels = None,
    threads: options.Threads = None,
    ray: Ray = None,
) -> None:
    """Try every combination of CRF parameters on images with scores and ground truth.

    FOLDER/search.csv gets mean IoU, pixel accuracy and mean recall of each, the best first (no
    parameters: no CRF); FOLDER/search.png a heat map. The counts are kept in FOLDER/counts.npz after every
    image: the same command goes on where it was interrupted. .mat and .npy files hold scores,
    .bin files probabilities.
    """
    from ..cluster.pool import in_order
    from ..crf.search import Grid, Search, write_heat_map, write_table
    from ..images import image_list

    lists = {
        "pos_std": pos_std,
        "pos_w": pos_w,
        "bi_xy_std": bi_xy_std,
        "bi_rgb_std": bi_rgb_std,
        "bi_w": bi_w,
    }
    grid = Grid(**{name: _numbers(name, text) for name, text in lists.items()}, iterations=iterations)
    cluster = cluster_of(ray, threads)
    entries = {entry.image: entry for entry in image_list.read_list(str(images), root)}

    labels = {name: image_list.join(root, entry.label) for name, entry in entries.items()}
    read = partial(_read, labels, features, max_pixels)
    num_classes = read(threads, next(iter(entries)))[1].shape[2]
    search = Search(grid, list(entries), output, num_classes)
    console = options.console()
    if search.done:
        console.print(f"going on after {search.done} of {len(entries)} images")
    title = f"{len(search.points)} points"
    if cluster is None:
        with options.progress(console) as bar:
            task = bar.add_task(title, total=len(entries), completed=search.done)
            search.run(partial(read, threads), threads, lambda: bar.advance(task))
    elif left := search.images[search.done :]:
        workers = Workers(partial(_worker, search, read), cluster)
        with closing(workers.run(title, left, search.done)) as done:
            for counts in in_order(done):
                if isinstance(counts, DeepLabError):
                    raise counts
                search.add(counts)
        workers.note(f"{len(entries)} images: {workers.summary}")
    write_table(output / "search.csv", search)
    write_heat_map(output / "search.png", search)
    best = max(range(len(search.points)), key=lambda i: search.mean_iou()[i])
    values = ", ".join(f"{name} {getattr(search.points[best], name):g}" for name in lists)
    console.print(f"best: {values}: mean IoU {search.mean_iou()[best]:.4f}", markup=False, soft_wrap=True)


def _worker(
    search: "Search", read: "Callable[[int | None, str], Image]", threads: int | None
) -> "Callable[[str], NDArray[Any]]":
    """What a worker does with an image."""
    return lambda name: search.counts_of(name, read(threads, name), threads)


def _read(
    labels: dict[str, str], features: Path, max_pixels: int | None, threads: int | None, image: str
) -> "Image":
    from ..crf.energies import Kind, read_energies
    from ..images import image_file

    rgb = image_file.read_image(image, max_pixels=max_pixels)
    stem = Path(image).stem
    names = [f"{stem}_blob_0.mat", f"{stem}.mat", f"{stem}.npy", f"{stem}.bin"]
    for name in names:
        path = features / name
        if path.exists():
            height, width = rgb.shape[:2]
            kind: Kind = "probabilities" if path.suffix == ".bin" else "scores"
            truth = image_file.read_label(labels[image], max_pixels)
            return rgb, read_energies(path, kind, height, width, threads), truth
    raise DeepLabError(f"{features}: none of {', '.join(names)}")


def _numbers(name: str, text: str) -> tuple[float, ...]:
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if not values or len(set(values)) < len(values) or any(lacking(name, value) for value in values):
        option, above = name.replace("_", "-"), " above 0" * name.endswith("_std")
        raise DeepLabError(f"--{option} {text}: different numbers{above} with commas between wanted")
    return values
