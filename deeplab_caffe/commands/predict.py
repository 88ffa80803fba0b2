"""`deeplab-caffe predict`: photos in, label maps, overlays and scores out."""

import os
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..crf.parameters import AUTHORS, BI_RGB_STD, BI_XY_STD, POS_STD, CRFParameters
from ..errors import DeepLabError
from ..images.class_names import PALETTES
from . import options
from .crf_options import BiRgbStd, BiW, BiXyStd, Iterations, PosStd, PosW, UseCrf
from .inputs import collect
from .options import verb
from .segmenter_options import Flip, Mean, PadTo, Scales, ScoresBlob, make_segmenter
from .several import several
from .workers import Ray, WithRay, Workers, cluster_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..cluster.journal import Journal
    from ..images.palettes import Palette
    from ..images.stored_image import ImageFile
    from ..segmenter.contact_sheet import ContactSheet
    from ..segmenter.photo_files import Results, Written
    from ..segmenter.segmenter import Segmenter

    Job = tuple[str, ImageFile]  # the name of the results, the image

_LONGEST_NAME = 255  # bytes, of a file


@verb("predict", cls=WithRay)
def predict(
    model: options.Model,
    images: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGE|FOLDER|LIST|TAR...",
            help="Photos, folders, lists (.txt) or tar shards of them; also at addresses such as s3://...",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where results go.")],
    weights: options.Weights = None,
    random_weights: options.RandomWeights = False,
    save: Annotated[
        str, typer.Option(help="What to write, with commas between: labels, overlay, scores, mat.")
    ] = "labels,overlay",
    palette: Annotated[
        str, typer.Option(help=f"{PALETTES} or a text file: `red green blue [name]` a line.")
    ] = "voc",
    sheet: Annotated[
        bool | None,
        typer.Option("--sheet/--no-sheet", help="A page of thumbnails; default: of several images."),
    ] = None,
    root: Annotated[str, typer.Option(help="Goes before the paths in lists.")] = "",
    max_pixels: options.MaxPixels = None,
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
    ray: Ray = None,
) -> int:
    """Segment photos with a deploy net (one image input, one map of scores).

    Each image is padded at the right and bottom, with the mean, to the next size the net aligns on; the
    scores are cropped back. With --scales or --flip what counts, and is written, are probabilities.
    FOLDER/predict.json lists every result; of several images FOLDER/index.html shows photo, labels and
    overlay. A broken image among several is reported and the rest still done; the exit code is then 1.
    """
    from ..cluster.journal import Journal, digest
    from ..images import palettes
    from ..segmenter.deploy_net import read_deploy_net
    from ..segmenter.photo_files import Results

    kinds = _kinds(save)
    table = palettes.palette(palette)
    jobs = collect(images, root)
    _check_names(jobs, kinds)
    parameters = CRFParameters(iterations, pos_std, pos_w, bi_xy_std, bi_rgb_std, bi_w) if crf else None
    pages = _pages(output, table) if (len(jobs) > 1 if sheet is None else sheet) else None
    results = Results(output, kinds, table, pages)
    given: dict[str, Any] = {
        "random_weights": random_weights,
        "mean": mean,
        "scales": scales,
        "flip": flip,
        "scores_blob": scores_blob,
        "pad_to": pad_to,
        "variables": variables,
        "device": device,
        "precision": precision,
        "level": level,
        "stages": stages,
    }
    make = partial(make_segmenter, model, weights, weight_memory=weight_memory, **given)
    cluster = cluster_of(ray, threads, device)
    if cluster is None:
        return run(make(threads=threads), jobs, results, parameters, max_pixels)
    settings = given | {
        "model": digest(model),
        "weights": weights and digest(weights),
        "save": kinds,
        "palette": [table.colours.tolist(), table.names],
        "crf": parameters and vars(parameters),
        "sheet": pages is not None,
        "max_pixels": max_pixels,
    }
    make = partial(make, allow_python_layers=allow_python_layers)
    work = Workers(partial(_worker, make, results, parameters, max_pixels), cluster)
    net = read_deploy_net(model, options.parse_variables(variables), level=level, stages=tuple(stages or ()))
    with Journal(output / "predict.jsonl", settings) as journal:
        return run_on_cluster(work, jobs, results, net.name, journal)


def run(
    segmenter: "Segmenter",
    jobs: dict[str, "ImageFile"],
    results: "Results",
    crf: CRFParameters | None,
    max_pixels: int | None = None,
) -> int:
    """Segments all images, several at a time, and writes the results, predict.json and the sheet.

    1 if some of several failed, else 0.
    """
    from ..segmenter.crew import Crew
    from ..segmenter.photo_files import segment_file

    crew = Crew(segmenter, len(jobs), only_net=crf is None)

    def work(job: "Job") -> "Written":
        return segment_file(crew, *job, results, crf, max_pixels)

    done = several("segmenting", list(jobs.items()), work, crew.threads, crew.at_once, crew.shared)
    with closing(done):
        written = {name: result for (name, _), result in done}
    return _finish(jobs, written, results, segmenter.net.definition.name)


def run_on_cluster(
    workers: "Workers[Job, Written]",
    jobs: dict[str, "ImageFile"],
    results: "Results",
    net: str,
    journal: "Journal",
) -> int:
    """`run` by the workers of a cluster: what the journal has of an earlier run is not done again."""
    from ..formats.files import remove_unfinished

    written = _written_before(journal, jobs, results)
    left = [job for job in jobs.items() if job[0] not in written]
    done = workers.run("segmenting", left, len(written))
    with closing(done):
        for number, result in done:
            name = left[number][0]
            written[name] = result
            if isinstance(result, DeepLabError):
                if len(jobs) == 1:
                    raise result
                workers.note(f"error: {result}")
                continue
            record, cell = result
            journal.add(name, [record, cell and vars(cell)])
    remove_unfinished(file for name in jobs for file in results.files(name))
    return _finish(jobs, written, results, net, f" ({workers.summary})" if left else "")


def _finish(
    jobs: dict[str, "ImageFile"],
    written: "dict[str, Written | DeepLabError]",
    results: "Results",
    net: str,
    summary: str = "",
) -> int:
    """Writes predict.json and the sheet, in the order of the jobs; 1 if some of several failed, else 0."""
    records: list[dict[str, Any]] = []
    failed, sheet = 0, results.sheet
    for name, path in jobs.items():
        result = written[name]
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
    shown = sheet.write(f"Segmented by {net}") if sheet else results.folder
    done = f"{len(jobs) - failed} of {len(jobs)} images segmented{summary}: {shown}"
    options.console().print(done, markup=False, soft_wrap=True)
    return 1 if failed else 0


def _written_before(
    journal: "Journal", jobs: dict[str, "ImageFile"], results: "Results"
) -> "dict[str, Written | DeepLabError]":
    """What an earlier run has written, where the files are still there and no image was changed since."""
    from ..formats.files import newer
    from ..segmenter.contact_sheet import Cell

    found: dict[str, Written | DeepLabError] = {}
    for name, path in jobs.items():
        record, cell = journal.done.get(name, ({}, None))
        if record.get("image") == str(path) and newer(results.files(name), [path]):
            found[name] = record, cell and Cell.of(cell)
    return found


def _worker(
    make: "Callable[..., Segmenter]",
    results: "Results",
    crf: CRFParameters | None,
    max_pixels: int | None,
    threads: int | None,
) -> "Callable[[Job], Written]":
    """What a worker keeps: the net with its weights."""
    from ..segmenter.crew import Crew
    from ..segmenter.photo_files import segment_file

    crew = Crew(make(threads=threads), images=1)
    return lambda job: segment_file(crew, *job, results, crf, max_pixels)


def _pages(folder: Path, table: "Palette") -> "ContactSheet":
    """The sheet; its modules, which take time to load, only where one is wanted."""
    from ..segmenter.contact_sheet import ContactSheet

    return ContactSheet(folder, table)


def _check_names(jobs: dict[str, "ImageFile"], kinds: list[str]) -> None:
    """DeepLabError where the file of a result could not be written, for its name is too long."""
    from ..segmenter.photo_files import ENDINGS

    ending = max((ENDINGS.get(kind, ".png") for kind in kinds), key=len, default="")
    for name, path in jobs.items():
        if len(os.fsencode(name + ending)) > _LONGEST_NAME:
            raise DeepLabError(f"{path}: the results' name, with {ending}, would be too long for a file")


def _kinds(text: str) -> list[str]:
    from ..segmenter.photo_files import KINDS

    kinds = [kind.strip() for kind in text.split(",") if kind.strip()]
    for kind in kinds:
        if kind not in KINDS:
            raise DeepLabError(f"--save {kind}: one of {', '.join(KINDS)} wanted")
    return kinds
