"""`deeplab-caffe predict`: photos in, label maps, overlays and scores out."""

import os
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..crf.parameters import AUTHORS, BI_RGB_STD, BI_XY_STD, POS_STD, CRFParameters
from ..errors import DeepLabError
from ..images.class_names import PALETTES
from . import options
from .crf_options import BiRgbStd, BiW, BiXyStd, Iterations, PosStd, PosW, UseCrf
from .options import verb
from .segmenter_options import Flip, Mean, PadTo, Scales, ScoresBlob, make_segmenter
from .several import several

if TYPE_CHECKING:
    from ..images.palettes import Palette
    from ..segmenter.contact_sheet import Cell, ContactSheet
    from ..segmenter.crew import Crew
    from ..segmenter.segmenter import Segmenter

SUFFIXES = {".jpg", ".jpeg", ".png", ".ppm", ".pgm", ".bmp", ".tif", ".tiff", ".webp", ".gif"}
SUFFIXES |= {".avif", ".heic", ".heif", ".jp2"}
LISTS = {".txt", ".lst", ".list"}
KINDS = ("labels", "overlay", "scores", "mat")
ENDINGS = {"scores": ".npy", "mat": "_blob_0.mat"}  # of what is not a picture
_LONGEST_NAME = 255  # bytes, of a file

MaxPixels = Annotated[
    int | None,
    typer.Option("--max-pixels", min=1, help="Refuse larger images; default: 50 million."),
]


@verb("predict")
def predict(
    model: options.Model,
    images: Annotated[
        list[str],
        typer.Argument(metavar="IMAGE|FOLDER|LIST...", help="Photos, folders of them, lists (.txt) of them."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where results go.")],
    weights: options.Weights = None,
    random_weights: options.RandomWeights = False,
    save: Annotated[
        str, typer.Option(help=f"What to write, with commas between: {', '.join(KINDS)}.")
    ] = "labels,overlay",
    palette: Annotated[
        str, typer.Option(help=f"{PALETTES} or a text file: `red green blue [name]` a line.")
    ] = "voc",
    sheet: Annotated[
        bool | None,
        typer.Option("--sheet/--no-sheet", help="A page of thumbnails; default: of several images."),
    ] = None,
    root: Annotated[str, typer.Option(help="Goes before the paths in lists.")] = "",
    max_pixels: MaxPixels = None,
    mean: Mean = None,
    scales: Scales = "1",
    flip: Flip = False,
    scores_blob: ScoresBlob = None,
    pad_to: PadTo = None,
    crf: UseCrf = False,
    iterations: Iterations = AUTHORS.iterations,
    pos_std: PosStd = POS_STD,
    pos_w: PosW = AUTHORS.pos_w,
    bi_xy_std: BiXyStd = BI_XY_STD,
    bi_rgb_std: BiRgbStd = BI_RGB_STD,
    bi_w: BiW = AUTHORS.bi_w,
    level: options.Level = 0,
    stages: options.Stages = None,
    variables: options.Variables = None,
    device: options.Device = "cpu",
    precision: options.Precision = "exact",
    threads: options.Threads = None,
    weight_memory: options.WeightMemory = None,
    allow_python_layers: options.AllowPythonLayers = False,
) -> int:
    """Segment photos with a deploy net (one image input, one map of scores).

    Each image is padded at the right and bottom, with the mean, to the next size the net aligns on; the
    scores are cropped back. With --scales or --flip what counts, and is written, are probabilities.
    FOLDER/predict.json lists every result; of several images FOLDER/index.html shows photo, labels and
    overlay. A broken image among several is reported and the rest still done; the exit code is then 1.
    """
    from ..images import palettes
    from ..segmenter.contact_sheet import ContactSheet

    kinds = _kinds(save)
    table = palettes.palette(palette)
    jobs = collect(images, root)
    _check_names(jobs, kinds)
    segmenter = make_segmenter(
        model,
        weights,
        random_weights=random_weights,
        mean=mean,
        scales=scales,
        flip=flip,
        scores_blob=scores_blob,
        pad_to=pad_to,
        variables=variables,
        device=device,
        precision=precision,
        threads=threads,
        weight_memory=weight_memory,
        level=level,
        stages=stages,
    )
    parameters = CRFParameters(iterations, pos_std, pos_w, bi_xy_std, bi_rgb_std, bi_w) if crf else None
    pages = ContactSheet(output, table) if (len(jobs) > 1 if sheet is None else sheet) else None
    return run(segmenter, jobs, Results(output, kinds, table, pages), parameters, max_pixels)


@dataclass(frozen=True)
class Results:
    """What is written of each image, and where."""

    folder: Path
    kinds: list[str]
    table: "Palette"
    sheet: "ContactSheet | None" = None


def run(
    segmenter: "Segmenter",
    jobs: dict[str, Path],
    results: Results,
    crf: CRFParameters | None,
    max_pixels: int | None = None,
) -> int:
    """Segments all images, several at a time, and writes the results, predict.json and the sheet.

    1 if some of several failed, else 0.
    """
    from ..segmenter.crew import Crew

    crew = Crew(segmenter, len(jobs))

    def work(job: tuple[str, Path]) -> "tuple[dict[str, Any], Cell | None]":
        return segment_file(crew, *job, results, crf, max_pixels)

    records: list[dict[str, Any]] = []
    failed, sheet = 0, results.sheet
    done = several("segmenting", list(jobs.items()), work, crew.threads, crew.at_once, crew.shared)
    with closing(done):
        for (name, path), result in done:
            if isinstance(result, DeepLabError):
                failed += 1
                records.append({"image": str(path), "error": str(result)})
                if sheet:
                    sheet.add_error(name, str(result))
                continue
            record, cell = result
            records.append(record)
            if sheet and cell:
                sheet.add_cell(cell)
    options.write_json(results.folder / "predict.json", records)
    shown = sheet.write(f"Segmented by {segmenter.net.definition.name}") if sheet else results.folder
    options.console().print(
        f"{len(jobs) - failed} of {len(jobs)} images segmented: {shown}", markup=False, soft_wrap=True
    )
    return 1 if failed else 0


def segment_file(
    crew: "Crew",
    name: str,
    path: Path,
    results: Results,
    crf: CRFParameters | None = None,
    max_pixels: int | None = None,
) -> "tuple[dict[str, Any], Cell | None]":
    """Segments an image, writes what is wanted of it; its record for predict.json, its cell on the sheet."""
    import time

    import numpy as np

    from ..formats.scores import write_scores
    from ..images import image_file
    from ..segmenter.segmentation import segment
    from ..segmenter.segmenter import overlay

    start = time.perf_counter()
    image = image_file.read_image(path, crew.segmenter.color, max_pixels)
    with crew.one(image.shape[:2]) as segmenter:
        scores, labels = segment(segmenter, image, crf)
    files = {}
    for kind in results.kinds:
        file = results.folder / kind / f"{name}{ENDINGS.get(kind, '.png')}"
        files[kind] = str(file)
        file.parent.mkdir(parents=True, exist_ok=True)
        if kind == "labels":
            image_file.write_image(file, labels, results.table.colours)
        elif kind == "overlay":
            image_file.write_image(file, overlay(image, labels, results.table.colours))
        else:
            write_scores(file, scores.cpu().numpy())
    sheet = results.sheet
    cell = sheet.cell(name, path, crew.segmenter.rgb(image), labels, files) if sheet else None
    values, counts = np.unique(labels, return_counts=True)
    record = {
        "image": str(path),
        "height": image.shape[0],
        "width": image.shape[1],
        "seconds": round(time.perf_counter() - start, 4),
        "classes": {results.table.name(int(v)): int(c) for v, c in zip(values, counts, strict=True)},
        "files": files,
    }
    return record, cell


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


def _check_names(jobs: dict[str, Path], kinds: list[str]) -> None:
    """DeepLabError where the file of a result could not be written, for its name is too long."""
    ending = max((ENDINGS.get(kind, ".png") for kind in kinds), key=len, default="")
    for name, path in jobs.items():
        if len(os.fsencode(name + ending)) > _LONGEST_NAME:
            raise DeepLabError(f"{path}: the results' name, with {ending}, would be too long for a file")


def _kinds(text: str) -> list[str]:
    kinds = [kind.strip() for kind in text.split(",") if kind.strip()]
    for kind in kinds:
        if kind not in KINDS:
            raise DeepLabError(f"--save {kind}: one of {', '.join(KINDS)} wanted")
    return kinds
