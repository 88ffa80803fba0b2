"""`deeplab-caffe predict`: photos in, label maps, overlays and scores out."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import DeepLabError
from . import options
from .options import verb

if TYPE_CHECKING:
    from ..crf.backend import Array
    from ..crf.energies import Kind
    from ..images.palettes import Palette
    from ..segmenter.segmenter import Segmenter
    from ..types import Bytes

SUFFIXES = {".jpg", ".jpeg", ".png", ".ppm", ".pgm", ".bmp", ".tif", ".tiff", ".webp", ".gif"}
LISTS = {".txt", ".lst", ".list"}
KINDS = ("labels", "overlay", "scores", "mat")


@dataclass(frozen=True)
class Crf:
    """The dense CRF's parameters, as the original program's defaults have them."""

    iterations: int = 10
    pos_std: float = 3.0
    pos_w: float = 3.0
    bi_xy_std: float = 50.0
    bi_rgb_std: float = 10.0
    bi_w: float = 5.0


Scales = Annotated[
    str, typer.Option(help="Sizes to look at, of the image's; the mean of their probabilities counts.")
]
Flip = Annotated[bool, typer.Option("--flip", help="Look at mirror images, too.")]
UseCrf = Annotated[bool, typer.Option("--crf", help="Refine the scores with a dense CRF.")]
Iterations = Annotated[int, typer.Option(min=0, help="CRF: mean-field iterations.")]
PosStd = Annotated[float, typer.Option(help="CRF: std of the position kernel, pixels.")]
PosW = Annotated[float, typer.Option(help="CRF: its weight.")]
BiXyStd = Annotated[float, typer.Option(help="CRF: bilateral kernel, pixels.")]
BiRgbStd = Annotated[float, typer.Option(help="CRF: bilateral kernel, colour.")]
BiW = Annotated[float, typer.Option(help="CRF: its weight.")]


@verb("predict")
def predict(
    model: options.Model,
    images: Annotated[
        list[str],
        typer.Argument(metavar="IMAGE|FOLDER|LIST...", help="Photos, folders of them, lists (.txt) of them."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where results go.")],
    weights: options.Weights = None,
    save: Annotated[
        str, typer.Option(help=f"What to write, with commas between: {', '.join(KINDS)}.")
    ] = "labels,overlay",
    palette: Annotated[
        str, typer.Option(help="voc, camvid or a text file: `red green blue [name]` a line.")
    ] = "voc",
    root: Annotated[str, typer.Option(help="Goes before the paths in lists.")] = "",
    mean: Annotated[
        str | None,
        typer.Option(
            metavar="B,G,R",
            help="Subtracted from the image, in the order of the net's channels; default: the net's own, or "
            "104.008,116.669,122.675 if it has none.",
        ),
    ] = None,
    scales: Scales = "1",
    flip: Flip = False,
    scores_blob: Annotated[
        str | None, typer.Option("--scores-blob", help="The scores, if the net has several outputs.")
    ] = None,
    crf: UseCrf = False,
    iterations: Iterations = Crf.iterations,
    pos_std: PosStd = Crf.pos_std,
    pos_w: PosW = Crf.pos_w,
    bi_xy_std: BiXyStd = Crf.bi_xy_std,
    bi_rgb_std: BiRgbStd = Crf.bi_rgb_std,
    bi_w: BiW = Crf.bi_w,
    pad_to: Annotated[
        str | None, typer.Option(metavar="HxW", help="Pad smaller images, as TensorFlow's evaluation did.")
    ] = None,
    variables: options.Variables = None,
    device: options.Device = "cpu",
    precision: options.Precision = "exact",
    threads: options.Threads = None,
    weight_memory: options.WeightMemory = None,
) -> int:
    """Segment photos with a deploy net (one image input, one map of scores).

    Each image is padded at the right and bottom, with the mean, to the next size the net aligns on; the
    scores are cropped back. With --scales or --flip what counts, and is written, are probabilities.
    FOLDER/predict.json lists every result. A broken image among several is reported and the rest still done;
    the exit code is then 1.
    """
    from ..images import palettes
    from ..segmenter.segmenter import Segmenter
    from .inspect import parse_size

    kinds = _kinds(save)
    table = palettes.palette(palette)
    jobs = collect(images, root)
    segmenter = Segmenter(
        model,
        weights,
        mean=None if mean is None else numbers(mean, "--mean"),
        output=scores_blob,
        variables=options.parse_variables(variables),
        scales=numbers(scales, "--scales"),
        flip=flip,
        pad_to=parse_size(pad_to, "--pad-to") or (0, 0),
        device=device,
        precision=precision,
        threads=threads,
        weight_memory=options.parse_bytes(weight_memory, "--weight-memory"),
    )
    settings = Crf(iterations, pos_std, pos_w, bi_xy_std, bi_rgb_std, bi_w) if crf else None
    return run(segmenter, jobs, output, kinds, table, settings)


def run(
    segmenter: "Segmenter",
    jobs: dict[str, Path],
    output: Path,
    kinds: list[str],
    table: "Palette",
    crf: Crf | None,
) -> int:
    """Segments all images and writes the results and predict.json; 1 if some of several failed, else 0."""
    console = options.console()
    records: list[dict[str, Any]] = []
    failed = 0
    with options.progress(console) as bar:
        task = bar.add_task("segmenting", total=len(jobs))
        for name, path in jobs.items():
            try:
                records.append(segment_file(segmenter, name, path, output, kinds, table, crf))
            except DeepLabError as error:
                if len(jobs) == 1:
                    raise
                failed += 1
                records.append({"image": str(path), "error": str(error)})
                console.print(f"error: {error}", markup=False, soft_wrap=True)
            bar.advance(task)
    options.write_json(output / "predict.json", records)
    console.print(
        f"{len(jobs) - failed} of {len(jobs)} images segmented: {output}", markup=False, soft_wrap=True
    )
    return 1 if failed else 0


def segment_file(
    segmenter: "Segmenter",
    name: str,
    path: Path,
    output: Path,
    kinds: list[str],
    table: "Palette",
    crf: Crf | None = None,
) -> dict[str, Any]:
    """Segments one image and writes what `kinds` asks for; returns its record for predict.json."""
    import time

    import numpy as np

    from ..crf.lattice import to_numpy
    from ..formats.mat import write_mat
    from ..images import image_file
    from ..segmenter.segmenter import labels_of, overlay

    start = time.perf_counter()
    image = image_file.read_image(path, color=segmenter.color)
    if crf is None:
        scores = segmenter.scores(image)
        labels = labels_of(scores)
    else:
        kind = "probabilities" if segmenter.averages else "scores"
        scores, labels = refine(
            image, segmenter.score_map(image)[0], crf, segmenter.net.context.threads, kind
        )
    files = {}
    for kind in kinds:
        file = output / kind / f"{name}{ {'scores': '.npy', 'mat': '_blob_0.mat'}.get(kind, '.png') }"
        files[kind] = str(file)
        file.parent.mkdir(parents=True, exist_ok=True)
        if kind == "labels":
            image_file.write_image(file, labels, table.colours)
        elif kind == "overlay":
            image_file.write_image(file, overlay(image, labels, table.colours))
        elif kind == "scores":
            options.write_npy(file, to_numpy("scores", scores))
        else:
            write_mat(file, to_numpy("scores", scores)[None])
    values, counts = np.unique(labels, return_counts=True)
    return {
        "image": str(path),
        "height": image.shape[0],
        "width": image.shape[1],
        "seconds": round(time.perf_counter() - start, 4),
        "classes": {table.name(int(v)): int(c) for v, c in zip(values, counts, strict=True)},
        "files": files,
    }


def refine(
    image: "Bytes", scores: "Array", crf: Crf, threads: int | None, kind: "Kind" = "scores"
) -> tuple["Array", "Bytes"]:
    """The CRF's marginals (labels, H, W) for scores (labels, H, W) on the RGB image, and their label map.

    kind: of the scores, see crf.refine. Scores on a GPU are refined there; then the marginals stay there and
    only the label map is copied. Of equal marginals the first label wins, as in the original CRF program.
    """
    import numpy as np

    from ..crf.backend import device_of
    from ..crf.energies import energies_of
    from ..crf.refinement import image_crf

    if scores.shape[0] < 2:
        raise DeepLabError("a CRF needs the scores of at least two labels, the net gives one plane")
    parameters = vars(crf).copy()
    iterations, device = parameters.pop("iterations"), device_of(scores)
    model = image_crf(image, scores.shape[0], **parameters, threads=threads, device=device)
    energies = energies_of(scores, kind, threads, device)
    energies = energies.transpose(1, 2, 0) if device is None else energies.permute(1, 2, 0)
    marginals = model.unary(energies).infer(iterations)
    marginals = marginals.transpose(2, 0, 1) if device is None else marginals.permute(2, 0, 1)
    labels = model.map() if device is None else model.map().cpu().numpy()
    if device is None:
        marginals = np.ascontiguousarray(marginals)
    return marginals, labels.astype(np.uint8)


def collect(inputs: list[str], root: str = "") -> dict[str, Path]:
    """All images of the command line by the name their results get; DeepLabError if there is none."""
    from ..images.image_list import read_list

    jobs: dict[str, Path] = {}

    def add(name: str, path: Path) -> None:
        if jobs.setdefault(name, path) != path:
            raise DeepLabError(f"{jobs[name]} and {path} would write the same results '{name}'")

    for text in inputs:
        path = Path(text)
        if path.is_dir():
            found = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file())
            if not found:
                raise DeepLabError(f"{path}: no images in this folder")
            for file in found:
                add(file.stem, file)
        elif not path.exists():
            raise DeepLabError(f"{path}: no such image, folder or list")
        elif path.suffix.lower() in LISTS:
            for entry in read_list(text, root):
                add(Path(entry.image).stem, Path(entry.image))
        else:
            add(path.stem, path)
    return jobs


def _kinds(text: str) -> list[str]:
    kinds = [kind.strip() for kind in text.split(",") if kind.strip()]
    for kind in kinds:
        if kind not in KINDS:
            raise DeepLabError(f"--save {kind}: one of {', '.join(KINDS)} wanted")
    return kinds


def numbers(text: str, option: str) -> tuple[float, ...]:
    """ "1,2.5" of an option as numbers; DeepLabError for anything else."""
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise DeepLabError(f"{option} {text}: numbers with commas between wanted") from None
