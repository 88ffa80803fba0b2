"""`deeplab-caffe crf`: the dense CRF on an image and its scores, or on folders of them."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..crf.parameters import AUTHORS, BI_RGB_STD, BI_XY_STD, POS_STD, CRFParameters
from ..errors import DeepLabError
from ..images.class_names import PALETTES
from . import options
from .crf_options import BiRgbStd, BiW, BiXyStd, Iterations, PosStd, PosW
from .inputs import collect
from .options import verb
from .several import several
from .workers import Ray, WithRay, Workers, cluster_of

if TYPE_CHECKING:
    from ..cluster.journal import Journal
    from ..crf.energies import Kind
    from ..images.palettes import Palette
    from ..images.stored_image import ImageFile
    from ..threads.room import Room

_ENDINGS = (".npy", ".mat", "_blob_0.mat", ".bin")  # of the files of scores in a folder


@verb("crf", cls=WithRay)
def crf(
    image: Annotated[Path, typer.Option("--image", help="The image; or a folder or list (.txt) of them.")],
    unary: Annotated[
        Path | None, typer.Option("--unary", metavar="NPY", help="Energies (H, W, labels), float32.")
    ] = None,
    scores: Annotated[
        Path | None,
        typer.Option("--scores", metavar="NPY|MAT", help="Scores: (labels, H, W), or what MatWrite wrote."),
    ] = None,
    probabilities: Annotated[
        Path | None,
        typer.Option("--probabilities", metavar="NPY|BIN", help="Probabilities (H, W, labels)."),
    ] = None,
    marginals: Annotated[
        Path | None, typer.Option("--marginals", metavar="NPY", help="Write (H, W, labels) float32.")
    ] = None,
    map_file: Annotated[
        Path | None, typer.Option("--map", metavar="PNG", help="Write the most probable labels.")
    ] = None,
    iterations: Iterations = AUTHORS.iterations,
    pos_std: PosStd = POS_STD,
    pos_w: PosW = AUTHORS.pos_w,
    bi_xy_std: BiXyStd = BI_XY_STD,
    bi_rgb_std: BiRgbStd = BI_RGB_STD,
    bi_w: BiW = AUTHORS.bi_w,
    palette: Annotated[str, typer.Option(help=f"Of --map: {PALETTES} or a text file.")] = "voc",
    max_pixels: options.MaxPixels = None,
    device: options.Device = "cpu",
    threads: options.Threads = None,
    ray: Ray = None,
) -> int:
    """Refine an image's class scores with a dense CRF.

    One of --unary, --scores and --probabilities is the input; --marginals and --map say what to write. With a
    folder or list of images all of these are folders, of files with the images' names; several images are
    refined at a time. A broken one of several is reported and the rest still done; the exit code is then 1.
    """
    from ..cluster.journal import Journal
    from ..crf.devices import backend_for
    from ..images.palettes import palette as read_palette
    from ..threads import thread_count

    given: dict[Kind, Path | None] = {"energies": unary, "scores": scores, "probabilities": probabilities}
    inputs = [(kind, path) for kind, path in given.items() if path is not None]
    if len(inputs) != 1:
        raise DeepLabError("one of --unary, --scores and --probabilities is wanted")
    if marginals is None and map_file is None:
        raise DeepLabError("nothing to write: give --marginals, --map or both")
    ((kind, path),) = inputs
    folders = image.is_dir() or image.suffix.lower() == ".txt"
    jobs = _jobs(image, path, marginals, map_file) if folders else [Job(image, path, marginals, map_file)]
    if not folders and map_file is not None and map_file.suffix.lower() != ".png":
        raise DeepLabError(f"--map {map_file}: a .png file wanted")
    table = read_palette(palette)
    parameters = CRFParameters(iterations, pos_std, pos_w, bi_xy_std, bi_rgb_std, bi_w)
    summary = ""
    if (cluster := cluster_of(ray, threads, device)) is None:
        most = 1 if backend_for(device).device is not None else min(thread_count(threads), len(jobs))
        own = threads if most == 1 else None  # in side_by_side they share
        work = _worker(kind, parameters, table, device, max_pixels, own)
        done = several("refining", jobs, work, threads, most)
        failed = sum(isinstance(result, DeepLabError) for _, result in done)
    else:
        workers = Workers(partial(_worker, kind, parameters, table, device, max_pixels), cluster)
        settings = {
            "kind": kind,
            "scores": str(path),
            "marginals": marginals and str(marginals),
            "crf": vars(parameters),
            "palette": table.colours.tolist(),
        }
        folder = map_file or marginals
        with Journal(folder / "crf.jsonl" if folders and folder else None, settings) as journal:
            failed = _refine_on_cluster(workers, jobs, journal)
        summary = f" ({workers.summary})" if workers.count else ""
    if folders:
        total = f"{len(jobs) - failed} of {len(jobs)} images refined{summary}: {map_file or marginals}"
        options.console().print(total, markup=False, soft_wrap=True)
    return 1 if failed else 0


@dataclass(frozen=True)
class Job:
    """An image, its scores, and the files to write."""

    image: "ImageFile"
    scores: Path
    marginals: Path | None
    map_file: Path | None


def _worker(
    kind: "Kind",
    parameters: CRFParameters,
    table: "Palette",
    device: str,
    max_pixels: int | None,
    threads: int | None,
) -> Callable[[Job], None]:
    """What a worker does with a job."""
    from ..threads.room import Room

    room = Room()
    return lambda job: refine_file(job, kind, parameters, table, device, threads, room, max_pixels)


def _refine_on_cluster(workers: "Workers[Job, None]", jobs: list[Job], journal: "Journal") -> int:
    """Refines, by a cluster's workers, what the journal has not; the number of images that failed."""
    from ..formats.files import newer, remove_unfinished

    files = {job: [file for file in (job.marginals, job.map_file) if file] for job in jobs}

    def is_done(job: Job) -> bool:
        return str(job.image) in journal.done and newer(files[job], [job.image, job.scores])

    left = [job for job in jobs if not is_done(job)]
    failed = 0
    done = workers.run("refining", left, len(jobs) - len(left))
    with closing(done):
        for number, result in done:
            if not isinstance(result, DeepLabError):
                journal.add(str(left[number].image), None)
            elif len(jobs) == 1:
                raise result
            else:
                failed += 1
                workers.note(f"error: {result}")
    remove_unfinished(file for one in files.values() for file in one)
    return failed


def refine_file(
    job: Job,
    kind: "Kind",
    parameters: CRFParameters,
    table: "Palette",
    device: str,
    threads: int | None,
    room: "Room",
    max_pixels: int | None = None,
) -> None:
    """Refines one image, in memory from `room`, and writes what is wanted of it."""
    import numpy as np

    from ..crf.energies import read_energies
    from ..crf.refinement import crf_memory, image_crf
    from ..images import image_file

    rgb = image_file.read_image(job.image, max_pixels=max_pixels)
    height, width = rgb.shape[:2]
    energy = read_energies(job.scores, kind, height, width, threads)
    if job.map_file is not None and energy.shape[2] > 256:
        raise DeepLabError(f"--map: {energy.shape[2]} labels do not fit a byte")
    with room.take(crf_memory(energy.shape[2], height, width)):
        model = image_crf(rgb, energy.shape[2], parameters, threads=threads, device=device)
        result = model.unary(energy).infer(parameters.iterations)
    if job.marginals is not None:
        options.write_npy(job.marginals, result)
    if job.map_file is not None:
        job.map_file.parent.mkdir(parents=True, exist_ok=True)
        image_file.write_image(job.map_file, model.map().astype(np.uint8), table.colours)


def _jobs(images: Path, scores: Path, marginals: Path | None, maps: Path | None) -> list[Job]:
    """One for each image of a folder or list, whose scores lie in the folder `scores`."""
    if not scores.is_dir():
        raise DeepLabError(f"{scores}: a folder wanted, as of several images")
    return [
        Job(
            image,
            _scores_of(scores, name),
            None if marginals is None else marginals / f"{name}.npy",
            None if maps is None else maps / f"{name}.png",
        )
        for name, image in collect([str(images)]).items()
    ]


def _scores_of(folder: Path, name: str) -> Path:
    """The file of an image's scores; where there is none, the first that could be, for its error."""
    files = [folder / f"{name}{ending}" for ending in _ENDINGS]
    return next((file for file in files if file.exists()), files[0])
