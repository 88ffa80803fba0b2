"""`deeplab-caffe refine-pascal`: the original CRF programs, over a folder, with their own flags."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import DeepLabError
from . import options
from .options import verb


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
    iterations: Annotated[int, typer.Option("-i", "--iterations", min=0, help="Iterations.")] = 10,
    px: Annotated[float, typer.Option("-px", "--pos-x-std", help="Position kernel: deviation in x.")] = 3,
    py: Annotated[float, typer.Option("-py", "--pos-y-std", help="Position kernel: deviation in y.")] = 3,
    pw: Annotated[float, typer.Option("-pw", "--pos-w", help="Position kernel: weight.")] = 3,
    bx: Annotated[float, typer.Option("-bx", "--bi-x-std", help="Bilateral kernel: deviation in x.")] = 50,
    by: Annotated[float, typer.Option("-by", "--bi-y-std", help="Bilateral kernel: deviation in y.")] = 50,
    br: Annotated[float, typer.Option("-br", "--bi-r-std", help="Bilateral kernel: of red.")] = 10,
    bg: Annotated[float, typer.Option("-bg", "--bi-g-std", help="Bilateral kernel: of green.")] = 10,
    bb: Annotated[float, typer.Option("-bb", "--bi-b-std", help="Bilateral kernel: of blue.")] = 10,
    bw: Annotated[float, typer.Option("-bw", "--bi-w", help="Bilateral kernel: weight.")] = 5,
    threads: options.Threads = None,
) -> int:
    """Refine the segmentation of every image of a folder, as prog_refine_pascal and its _v4 did.

    A broken image among several is reported and the rest still done; the exit code is then 1.
    """
    from ..crf.dense_crf import DenseCRF
    from ..crf.energies import read_energies
    from ..formats.bin import write_bin
    from ..images import image_file

    jobs = _jobs(images, listed, root)
    if not features.is_dir():
        raise DeepLabError(f"{features}: no such folder")
    output.mkdir(parents=True, exist_ok=True)

    def refine(image: Path) -> None:
        rgb = image_file.read_image(image)
        path, kind = _feature(features, image.stem)
        energy = read_energies(path, kind, *rgb.shape[:2], threads)
        model = DenseCRF(*energy.shape, threads=threads).unary(energy)
        if pw != 0:
            model.gaussian((px, py), pw)
        if bw != 0:
            model.bilateral(rgb, (bx, by), (br, bg, bb), bw)
        model.step(iterations)
        write_bin(output / f"{image.stem}.bin", model.map())

    console = options.console()
    failed = 0
    with options.progress(console) as bar:
        task = bar.add_task("refining", total=len(jobs))
        for image in jobs:
            try:
                refine(image)
            except DeepLabError as error:
                if len(jobs) == 1:
                    raise
                failed += 1
                console.print(f"error: {error}", markup=False, soft_wrap=True)
            bar.advance(task)
    console.print(
        f"{len(jobs) - failed} of {len(jobs)} images refined: {output}", markup=False, soft_wrap=True
    )
    return 1 if failed else 0


def _jobs(folder: Path | None, listed: Path | None, root: str) -> list[Path]:
    from ..images import image_list

    if (folder is None) == (listed is None):
        raise DeepLabError("give either -id or --list")
    if listed is not None:
        return [Path(entry.image) for entry in image_list.read_list(str(listed), root)]
    jobs = sorted(folder.glob("*.ppm"))
    if not jobs:
        raise DeepLabError(f"{folder}: no .ppm images in this folder")
    return jobs


def _feature(folder: Path, name: str) -> tuple[Path, str]:
    """The file of an image's scores or probabilities, and which of the two it holds."""
    candidates = [(folder / f"{name}.bin", "probabilities"), (folder / f"{name}_blob_0.mat", "scores")]
    found = [(path, kind) for path, kind in candidates if path.exists()]
    if len(found) != 1:
        which = " or ".join(path.name for path, _ in candidates)
        raise DeepLabError(f"{folder}: {'both' if found else 'neither'} {which} for image {name}")
    return found[0]
