"""`deeplab-caffe dataset`: lists, label maps and a `run` configuration from a data set's official folders."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import options
from .options import verb

if TYPE_CHECKING:
    from ..datasets.plan import Plan

app = options.group("dataset", "Make lists, label maps and a `run` configuration from official folders.")

Output = Annotated[
    Path,
    typer.Option("--output", "-o", metavar="FOLDER", help="For what is made; images are linked, not copied."),
]
Partial = Annotated[
    bool,
    typer.Option("--partial", help="Take what is there: other counts than the official ones are warnings."),
]
Net = Annotated[
    str | None,
    typer.Option(
        "--net",
        help="That `run` trains and tests: vgg16_largefov (default), vgg16_aspp, resnet101_largefov, "
        "resnet101_aspp, ..._msc (tests only); for CamVid camvid_largefov.",
    ),
]


@verb("voc", into=app)
def voc(
    root: Annotated[Path, typer.Argument(metavar="VOC2012", help="VOCdevkit/VOC2012, or where that lies.")],
    output: Output,
    sbd: Annotated[
        Path | None,
        typer.Option("--sbd", metavar="FOLDER", help="SBD (benchmark_RELEASE): its labels make train_aug."),
    ] = None,
    partial: Partial = False,
    net: Net = None,
    threads: options.Threads = None,
) -> None:
    """PASCAL VOC 2012, with SBD the 10,582 images of train_aug; lists for the DeepLab authors' scripts, too.

    Label maps of VOC (palette or colour) and SBD (.mat) become numbers, 0 to 20 and 255 for the border.
    """
    from ..datasets.voc import plan

    _make(plan(root, sbd, partial), output, partial, net, threads)


@verb("context", into=app)
def context(
    root: Annotated[Path, typer.Argument(metavar="VOC2010", help="VOCdevkit/VOC2010, or where that lies.")],
    output: Output,
    annotations: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="With trainval/*.mat and labels.txt; default: VOC2010 itself."),
    ] = None,
    classes: Annotated[
        int, typer.Option(help="60 or 34: with background, label 0; 59 or 33: all else is void.")
    ] = 60,
    partial: Partial = False,
    net: Net = None,
    threads: options.Threads = None,
) -> None:
    """PASCAL-Context: of the 459 labels the 59 (or 33) that are used, found by their names in labels.txt."""
    from ..datasets.context import plan

    _make(plan(root, annotations, classes, partial), output, partial, net, threads)


@verb("cityscapes", into=app)
def cityscapes(
    root: Annotated[Path, typer.Argument(metavar="FOLDER", help="With leftImg8bit and gtFine in it.")],
    output: Output,
    partial: Partial = False,
    net: Net = None,
    threads: options.Threads = None,
) -> None:
    """Cityscapes, fine annotations: ids become the train ids of the 19 classes that count, all else 255."""
    from ..datasets.cityscapes import plan

    _make(plan(root, partial), output, partial, net, threads)


@verb("camvid", into=app)
def camvid(
    root: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER",
            help="With 701_StillsRaw_full and LabeledApproved_full, images and labels, or SegNet's folders.",
        ),
    ],
    output: Output,
    partial: Partial = False,
    net: Net = None,
    threads: options.Threads = None,
) -> None:
    """CamVid: the 32 labels become 11 classes, the 701 frames the lists train, val and test, as in SegNet."""
    from ..datasets.camvid import plan

    _make(plan(root, partial), output, partial, net, threads)


def _make(plan: "Plan", output: Path, partial: bool, net: str | None, threads: int | None) -> None:
    import warnings

    from rich.table import Table

    from ..datasets import configuration
    from ..datasets.nets import default_net, make_net
    from ..datasets.prepare import prepare
    from ..errors import DeepLabWarning

    net = net or default_net(plan)
    make_net(plan, net, 1, (1, 1))  # an unknown one is told at once
    remarks = plan.check_counts(partial)
    for remark in remarks:
        warnings.warn(DeepLabWarning(remark), stacklevel=1)
    with options.progress(options.console()) as bar:
        images = {item.image for items in plan.lists.values() for item in items}
        task = bar.add_task("label maps", total=len(images))
        done = prepare(plan, output, threads, lambda count: bar.advance(task, count))
    configuration.write_palette(plan, output)
    toml = configuration.write_configuration(plan, done, output, net)
    options.write_json(output / "dataset.json", configuration.summary(plan, done, remarks))
    table = Table(title=plan.title)
    for column in ("list", "images", "official"):
        table.add_column(column, justify="left" if column == "list" else "right")
    for name, items in plan.lists.items():
        if items:
            table.add_row(f"list/{name}.txt", f"{len(items):,}", f"{plan.expected[name]:,}")
    options.print_table(table)
    size = f"{done.height}x{done.width}"
    print(f"{done.written:,} label maps written, {done.kept:,} were there; largest image {size}")
    print(f"next: deeplab-caffe run {toml}")
