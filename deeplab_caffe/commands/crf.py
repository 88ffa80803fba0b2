"""`deeplab-caffe crf`: the dense CRF on one image and its scores."""

from pathlib import Path
from typing import Annotated

import typer

from ..crf.parameters import AUTHORS, BI_RGB_STD, BI_XY_STD, POS_STD, CRFParameters
from ..errors import DeepLabError
from ..images.class_names import PALETTES
from . import options
from .crf_options import BiRgbStd, BiW, BiXyStd, Iterations, PosStd, PosW
from .options import verb


@verb("crf")
def crf(
    image: Annotated[Path, typer.Option("--image", help="The image.")],
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
    device: options.Device = "cpu",
    threads: options.Threads = None,
) -> None:
    """Refine an image's class scores with a dense CRF.

    One of --unary, --scores and --probabilities is the input; --marginals and --map say what to write.
    """
    import numpy as np

    from ..crf.energies import Kind, read_energies
    from ..crf.refinement import image_crf
    from ..images import image_file
    from ..images.palettes import palette as read_palette

    given: dict[Kind, Path | None] = {"energies": unary, "scores": scores, "probabilities": probabilities}
    inputs = [(kind, path) for kind, path in given.items() if path is not None]
    if len(inputs) != 1:
        raise DeepLabError("one of --unary, --scores and --probabilities is wanted")
    if marginals is None and map_file is None:
        raise DeepLabError("nothing to write: give --marginals, --map or both")
    if map_file is not None and map_file.suffix.lower() != ".png":
        raise DeepLabError(f"--map {map_file}: a .png file wanted")
    table = read_palette(palette)
    rgb = image_file.read_image(image)
    ((kind, path),) = inputs
    height, width = rgb.shape[:2]
    energy = read_energies(path, kind, height, width, threads)
    if map_file is not None and energy.shape[2] > 256:
        raise DeepLabError(f"--map: {energy.shape[2]} labels do not fit a byte")
    parameters = CRFParameters(iterations, pos_std, pos_w, bi_xy_std, bi_rgb_std, bi_w)
    model = image_crf(rgb, energy.shape[2], parameters, threads=threads, device=device)
    result = model.unary(energy).infer(iterations)
    if marginals is not None:
        options.write_npy(marginals, result)
    if map_file is not None:
        map_file.parent.mkdir(parents=True, exist_ok=True)
        image_file.write_image(map_file, model.map().astype(np.uint8), table.colours)
