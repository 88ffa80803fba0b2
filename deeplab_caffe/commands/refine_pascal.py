"""`deeplab-caffe refine-pascal`: the original CRF programs, over a folder, with their own flags."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..crf.parameters import AUTHORS, BI_RGB_STD, BI_XY_STD, POS_STD, CRFParameters
from ..errors import DeepLabError
from . import options
from .crf_options import crf_option
from .options import verb
from .several import several

if TYPE_CHECKING:
    from ..crf.energies import Kind


@verb("refine-pascal")
def refine_pascal(
    features: Annotated[
        Path,
        typer.Option(
            "-fd", "--feature-dir", help="Folder of <id>.bin (probabilities) or <id>_blob_0.mat (scores)."
        ),
    ],
    output: Annotated[Path, typer.Option("-sd", "--save-dir", help="Folder for <id>.bin (int16 labels).")],
    images: Annotated[Path | None, typer.Option("-id", "--image-dir", help="Folder of <id>.ppm.")] = None,
    listed: Annotated[
        Path | None, typer.Option("--list", metavar="TXT", help="In its place: a list of images.")
    ] = None,
    root: Annotated[str, typer.Option(help="Goes before the paths of the list.")] = "",
    iterations: Annotated[
        int, crf_option("iterations", "-i", "--iterations", help="Iterations.")
    ] = AUTHORS.iterations,
    px: Annotated[
        float, crf_option("pos_std", "-px", "--pos-x-std", help="Position kernel: deviation in x.")
    ] = POS_STD,
    py: Annotated[
        float, crf_option("pos_std", "-py", "--pos-y-std", help="Position kernel: deviation in y.")
    ] = POS_STD,
    pw: Annotated[
        float, crf_option("pos_w", "-pw", "--pos-w", help="Position kernel: weight.")
    ] = AUTHORS.pos_w,
    bx: Annotated[
        float, crf_option("bi_xy_std", "-bx", "--bi-x-std", help="Bilateral kernel: deviation in x.")
    ] = BI_XY_STD,
    by: Annotated[
        float, crf_option("bi_xy_std", "-by", "--bi-y-std", help="Bilateral kernel: deviation in y.")
    ] = BI_XY_STD,
    br: Annotated[
        float, crf_option("bi_rgb_std", "-br", "--bi-r-std", help="Bilateral kernel: of red.")
    ] = BI_RGB_STD,
    bg: Annotated[
        float, crf_option("bi_rgb_std", "-bg", "--bi-g-std", help="Bilateral kernel: of green.")
    ] = BI_RGB_STD,
    bb: Annotated[
        float, crf_option("bi_rgb_std", "-bb", "--bi-b-std", help="Bilateral kernel: of blue.")
    ] = BI_RGB_STD,
    bw: Annotated[
        float, crf_option("bi_w", "-bw", "--bi-w", help="Bilateral kernel: weight.")
    ] = AUTHORS.bi_w,
    threads: options.Threads = None,
) -> int:
    """Refine the segmentation of every image of a folder, as prog_refine_pascal and its _v4 did.

    A broken image among several is reported and the rest still done; the exit code is then 1.
    """
    from ..crf.energies import read_energies
    from ..crf.refinement import crf_memory, image_crf
    from ..formats.bin import write_bin
    from ..images import image_file
    from ..threads import thread_count
    from ..threads.room import Room

    parameters = CRFParameters(iterations, (px, py), pw, (bx, by), (br, bg, bb), bw)
    jobs = _jobs(images, listed, root)
    if not features.is_dir():
        raise DeepLabError(f"{features}: no such folder")
    output.mkdir(parents=True, exist_ok=True)

    most = min(thread_count(threads), len(jobs))
    own = threads if most == 1 else None
    room = Room()

    def refine(image: Path) -> None:
        rgb = image_file.read_image(image)
        path, kind = _feature(features, image.stem)
        height, width = rgb.shape[:2]
        energy = read_energies(path, kind, height, width, own)
        with room.take(crf_memory(energy.shape[2], height, width)):
            model = image_crf(rgb, energy.shape[2], parameters, threads=own).unary(energy).step(iterations)
        write_bin(output / f"{image.stem}.bin", model.map())

    done = several("refining", jobs, refine, threads, most)
    failed = sum(isinstance(result, DeepLabError) for _, result in done)
    options.console().print(
        f"{len(jobs) - failed} of {len(jobs)} images refined: {output}", markup=False, soft_wrap=True
    )
    return 1 if failed else 0


def _jobs(folder: Path | None, listed: Path | None, root: str) -> list[Path]:
    from ..images import image_list

    if listed is not None and folder is None:
        return [Path(entry.image) for entry in image_list.read_list(str(listed), root)]
    if folder is None or listed is not None:
        raise DeepLabError("give either -id or --list")
    jobs = sorted(folder.glob("*.ppm"))
    if not jobs:
        raise DeepLabError(f"{folder}: no .ppm images in this folder")
    return jobs


def _feature(folder: Path, name: str) -> tuple[Path, "Kind"]:
    """The file of an image's scores or probabilities, and which of the two it holds."""
    candidates: list[tuple[Path, Kind]] = [
        (folder / f"{name}.bin", "probabilities"),
        (folder / f"{name}_blob_0.mat", "scores"),
    ]
    found = [(path, kind) for path, kind in candidates if path.exists()]
    if len(found) != 1:
        which = " or ".join(path.name for path, _ in candidates)
        raise DeepLabError(f"{folder}: {'both' if found else 'neither'} {which} for image {name}")
    return found[0]
