"""`deeplab-caffe eval`: IoU, accuracies, trimap curves and confusion matrix of label maps."""

from collections.abc import Callable
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
from .numbers import MOST_LABELS
from .options import verb
from .segmenter_options import Flip, Mean, PadTo, Scales, ScoresBlob, make_segmenter
from .workers import Ray, WithRay, Workers, cluster_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..cluster.journal import Journal
    from ..evaluation.evaluation import Band, Evaluation
    from ..images.image_list import Entry
    from ..segmenter.segmenter import Segmenter

# A line of the list, its truth -> predicted labels.
Labels = Callable[["Entry", "NDArray[Any]"], "NDArray[Any]"]


@verb("eval", cls=WithRay)
def evaluate(
    images: Annotated[
        Path, typer.Option("--list", metavar="TXT", help="Lines `image label`, as ImageSegData reads them.")
    ],
    root: Annotated[str, typer.Option(help="Goes before the paths of the list.")] = "",
    predictions: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Per image <id>.png (labels), .bin (labels or scores), .mat, .npy (scores).",
        ),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            "--model",
            "-m",
            metavar="PROTOTXT|NAME",
            callback=options.find_model,
            help="Or a deploy net that is run: a file, or one that ships by its name.",
        ),
    ] = None,
    weights: options.Weights = None,
    random_weights: options.RandomWeights = False,
    palette: Annotated[
        str, typer.Option(help=f"Class names: {PALETTES} or a text file: `red green blue [name]` a line.")
    ] = "voc",
    labels: Annotated[
        int | None,
        typer.Option(
            min=1, max=MOST_LABELS, help="Number of classes; default: as many as the palette has names."
        ),
    ] = None,
    trimap: Annotated[
        str, typer.Option(help="Widths of the bands around void pixels, with commas between.")
    ] = "1,2,3,5,8,12,20,40",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FOLDER", help="For eval.json and pictures.")
    ] = None,
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
    variables: options.Variables = None,
    device: options.Device = "cpu",
    precision: options.Precision = "exact",
    threads: options.Threads = None,
    weight_memory: options.WeightMemory = None,
    allow_python_layers: options.AllowPythonLayers = False,
    ray: Ray = None,
) -> None:
    """Compare label maps, or what a net makes of the images, with ground truth.

    Pixels whose truth is 255 are left out. A table of the classes and the confusion matrix go to stdout;
    FOLDER gets eval.json, confusion.png and trimap.png.
    """
    from ..cluster.journal import Journal, digest
    from ..evaluation.evaluation import Evaluation
    from ..images import image_list, palettes

    table = palettes.palette(palette)
    count = len(table.names) if labels is None else labels
    names = [table.name(label) for label in range(count)]
    evaluation = Evaluation(count, _widths(trimap))
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
    }
    parameters = CRFParameters(iterations, pos_std, pos_w, bi_xy_std, bi_rgb_std, bi_w) if crf else None
    make: Callable[[int | None], Labels]
    if model is None and predictions is not None:
        if crf:
            raise DeepLabError("--crf: only with --model; the verb crf refines stored scores")
        make = partial(_from_folder, predictions)
    elif model is not None and predictions is None:
        segmenter = partial(make_segmenter, model, weights, weight_memory=weight_memory, **given)
        if ray is not None:
            segmenter = partial(segmenter, allow_python_layers=allow_python_layers)
        make = partial(_from_net, segmenter, parameters)
    else:
        raise DeepLabError("give either --predictions or --model")
    entries = image_list.read_list(str(images), root)
    worker = partial(_worker, make, evaluation, root)
    cluster = cluster_of(ray, threads, device)
    if cluster is None:
        _count_here(evaluation, entries, worker(threads))
    else:
        settings = given | {
            "list": digest(images),
            "root": root,
            "predictions": predictions and str(predictions),
            "model": model and digest(model),
            "weights": weights and digest(weights),
            "labels": count,
            "trimap": evaluation.widths,
            "crf": parameters and vars(parameters),
        }
        journal = Journal(None if output is None else output / "eval.jsonl", settings)
        _count_on_cluster(evaluation, entries, Workers(worker, cluster), journal)
    _report(evaluation, names, output)


def _worker(
    make: Callable[[int | None], Labels], evaluation: "Evaluation", root: str, threads: int | None
) -> Callable[["Entry"], list[Any]]:
    """What counts one line of the list: its counts as Evaluation.packed has them."""
    from ..evaluation.evaluation import Evaluation

    predicted = make(threads)

    def count(entry: "Entry") -> list[Any]:
        one = Evaluation(evaluation.num_classes, evaluation.widths)
        _add(one, entry, root, predicted)
        return one.packed()

    return count


def _count_here(
    evaluation: "Evaluation", entries: list["Entry"], count: Callable[["Entry"], list[Any]]
) -> None:
    with options.progress(options.console()) as bar:
        task = bar.add_task("evaluating", total=len(entries))
        for entry in entries:
            evaluation.merge(count(entry))
            bar.advance(task)


def _count_on_cluster(
    evaluation: "Evaluation",
    entries: list["Entry"],
    workers: "Workers[Entry, list[Any]]",
    journal: "Journal",
) -> None:
    """The same by the workers of a cluster; goes on where an earlier run with this journal was stopped."""
    for counts in journal.done.values():
        evaluation.merge(counts)
    left = [entry for entry in entries if str(entry.number) not in journal.done]
    done = workers.run("evaluating", left, len(journal.done))
    with journal, closing(done):
        for number, counts in done:
            if isinstance(counts, DeepLabError):
                raise counts
            journal.add(str(left[number].number), counts)
            evaluation.merge(counts)
    journal.remove()  # the same command again is another evaluation, of label maps that may be others
    if left:
        workers.note(f"{len(entries)} images: {workers.summary}")


def _add(evaluation: "Evaluation", entry: "Entry", root: str, predicted: Labels) -> None:
    from ..evaluation.predictions import read_truth
    from ..images import image_list

    try:
        if not entry.label:
            raise DeepLabError("no label map in this line")
        truth = read_truth(image_list.join(root, entry.label))
        evaluation.add(truth, predicted(entry, truth))
    except DeepLabError as error:
        raise DeepLabError(f"{entry.where}: {error}") from None


def _from_folder(folder: Path, threads: int | None) -> Labels:
    from ..evaluation.predictions import read_prediction

    return lambda entry, truth: read_prediction(folder, Path(entry.image).stem, *truth.shape)


def _from_net(make: Callable[..., "Segmenter"], crf: CRFParameters | None, threads: int | None) -> Labels:
    from ..images import image_file
    from ..segmenter.segmentation import segment

    segmenter = make(threads=threads)

    def predict(entry: "Entry", truth: "NDArray[Any]") -> "NDArray[Any]":
        image = image_file.read_image(entry.image, color=segmenter.color)
        return segment(segmenter, image, crf).labels

    return predict


def _report(evaluation: "Evaluation", names: list[str], output: Path | None) -> None:
    from rich.table import Table

    from ..evaluation.charts import write_confusion, write_trimap

    report = evaluation.report(names)
    table = Table(title=f"{report['images']} images")
    for column in ("class", "IoU", "accuracy", "pixels"):
        table.add_column(column, justify="left" if column == "class" else "right")
    for row in report["classes"]:
        table.add_row(row["name"], _percent(row["iou"]), _percent(row["accuracy"]), f"{row['pixels']:,}")
    table.add_section()
    mean = _percent(report["mean_iou"]), _percent(report["mean_class_accuracy"])
    table.add_row("mean", *mean, f"{report['pixels']:,}")
    options.print_table(table)
    print(f"pixel accuracy {_percent(report['pixel_accuracy'])}")
    bands = [band for band in evaluation.bands if band.pixels]
    if bands:
        options.print_table(_trimap(evaluation.bands))
    else:
        print("trimap: no labelled pixel is near a void one (255 in the truth), so there are no bands")
    options.print_table(_confusion(evaluation, names))
    if output is not None:
        options.write_json(output / "eval.json", report)
        write_confusion(output / "confusion.png", evaluation, names)
        if bands:
            write_trimap(output / "trimap.png", {"": bands})


def _trimap(bands: list["Band"]) -> Any:
    from rich.table import Table

    table = Table(title="within so many pixels of a void pixel")
    for column in ("width", "mean IoU", "pixel accuracy", "pixels"):
        table.add_column(column, justify="right")
    for band in bands:
        shares = _percent(band.mean_iou), _percent(band.pixel_accuracy)
        table.add_row(str(band.width), *shares, f"{band.pixels:,}")
    return table


def _confusion(evaluation: "Evaluation", names: list[str]) -> Any:
    from rich.table import Table

    table = Table(title="confusion: % of the pixels of the class at the left predicted as the one above")
    table.add_column("")
    for name in names:
        table.add_column(name, justify="right")
    for name, row in zip(names, evaluation.counts, strict=True):
        table.add_row(name, *(f"{100 * value / max(1, row.sum()):.1f}" for value in row))
    return table


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f}"


def _widths(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise DeepLabError(f"--trimap {text}: whole numbers with commas between wanted") from None
