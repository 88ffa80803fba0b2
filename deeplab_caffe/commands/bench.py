"""The verbs of `deeplab-caffe bench`: measurements side by side."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ..threads import check_threads
from . import net_options, numbers
from .numbers import whole
from .options import (
    Device,
    Dialect,
    Level,
    Model,
    Stages,
    Variables,
    console,
    group,
    parse_bytes,
    print_table,
    verb,
    write_json,
)

_MOST_SIZE = 10**6

bench = group("bench", "Measures this package against torch and other peers, on this machine.")

Output = Annotated[
    Path, typer.Option("-o", "--output", metavar="DIR", help="Where the JSON and pictures go.")
]
Limit = Annotated[
    float | None,
    typer.Option(
        "--limit",
        metavar="SECONDS",
        min=0,
        callback=numbers.finite,
        help="Begin nothing after so long; on a GPU.",
    ),
]
Rounds = Annotated[
    int, typer.Option("--rounds", min=1, max=10**6, help="Measurements of each candidate, in turn.")
]


def parse_sizes(text: str) -> list[tuple[int, int]]:
    """ "321,513x385" as [(321, 321), (513, 385)]."""
    from ..errors import DeepLabError

    sizes = []
    for part in text.split(","):
        parsed = [whole(each, _MOST_SIZE) for each in part.strip().split("x")]
        first, last = parsed[0], parsed[-1]
        if len(parsed) > 2 or first is None or last is None:
            raise DeepLabError(f"size {part}: N or HxW wanted, up to {_MOST_SIZE}")
        sizes.append((first, last))
    return sizes


def parse_counts(text: str) -> list[int]:
    """ "1,2" as [1, 2]."""
    return [height for height, _ in parse_sizes(text)]


def parse_threads(text: str) -> list[int]:
    """The same for --threads; DeepLabError for more than the system gives."""
    counts = parse_counts(text)
    for count in counts:
        check_threads(count, "--threads")
    return counts


@verb("net", into=bench)
def bench_net(
    model: Model = Path("deeplab_v1/largefov"),
    sizes: Annotated[str, typer.Option("--sizes", help="Input sizes, N or HxW.")] = "321,513",
    threads: Annotated[str, typer.Option("--threads", help="Thread counts; on the CPU.")] = "1,2",
    batches: Annotated[str, typer.Option("--batches", help="Images at a time; on a GPU.")] = "1,8",
    device: Device = "cpu",
    precisions: Annotated[
        str, typer.Option("--precisions", help="Beside exact; on a GPU. Default: all of the device.")
    ] = "",
    limit: Limit = None,
    rounds: Rounds = 5,
    weight_memory: Annotated[
        str | None,
        typer.Option(
            "--weight-memory",
            metavar="SIZE",
            help="Of the candidate 'exact streamed', on the CPU; default: 16M.",
        ),
    ] = None,
    level: Level = 0,
    stages: Stages = None,
    dialect: Dialect = None,
    variables: Variables = None,
    name: Annotated[
        str, typer.Option("--name", help="In titles and file names; default: the folder's.")
    ] = "",
    output: Output = Path("benchmarks/results"),
) -> None:
    """Times a whole net in every precision against the same net in torch, with random weights."""
    from ..bench import net, net_gpu
    from ..bench.net_gpu_report import net_gpu_chart, net_gpu_table
    from ..bench.net_report import net_chart, net_table
    from ..errors import DeepLabError

    places, on_cpu = parse_sizes(sizes), device == "cpu"
    rules = net_options.rules(variables, level, stages, dialect)
    if weight_memory is not None and not on_cpu:
        raise DeepLabError(f"--weight-memory {weight_memory}: weights are streamed on cpu, not on {device}")
    if on_cpu and (precisions or limit):
        raise DeepLabError("--precisions and --limit are for a GPU; see --device")
    streamed = parse_bytes(weight_memory or "16M", "--weight-memory")

    def save(result: dict[str, Any]) -> None:
        result["model"] = name or result["model"]
        write_json(output / f"{stem_of(result)}.json", result)

    def stem_of(result: dict[str, Any]) -> str:
        return f"net_{result['model']}" + ("" if on_cpu else "_gpu")

    with console().status("measuring"):
        if on_cpu:
            counts = parse_threads(threads)
            result = net.run(str(model), places, counts, rounds, rules, weight_memory=streamed)
        else:
            counts, wanted = parse_counts(batches), [word for word in precisions.split(",") if word]
            result = net_gpu.run(str(model), places, counts, rounds, rules, device, wanted, limit, save)
    save(result)
    print_table((net_table if on_cpu else net_gpu_table)(result))
    stem = stem_of(result)
    (net_chart if on_cpu else net_gpu_chart)(result, output / f"{stem}.png")
    console().print(f"written: {output / stem}.json, {output / stem}.png")


@verb("train", into=bench)
def bench_train(
    model: Model = Path("deeplab_v1/largefov"),
    sizes: Annotated[str, typer.Option("--sizes", help="Input sizes, N or HxW.")] = "321",
    threads: Annotated[str, typer.Option("--threads", help="Thread counts.")] = "1,2",
    rounds: Rounds = 5,
    level: Level = 0,
    stages: Stages = None,
    dialect: Dialect = None,
    variables: Variables = None,
    output: Output = Path("benchmarks/results"),
) -> None:
    """Times forward and backward of a net in every precision against the same net in torch, on the CPU."""
    from ..bench import net
    from ..bench.net_report import net_chart, net_table

    rules = net_options.rules(variables, level, stages, dialect)
    with console().status("measuring"):
        result = net.run(str(model), parse_sizes(sizes), parse_threads(threads), rounds, rules, training=True)
    stem = output / f"train_{result['model']}"
    result["model"] += ", training"
    print_table(net_table(result))
    write_json(stem.with_suffix(".json"), result)
    net_chart(result, stem.with_suffix(".png"))
    console().print(f"written: {stem}.json, {stem}.png")


@verb("conv", into=bench)
def bench_conv(
    shapes: Annotated[
        list[str] | None,
        typer.Option(
            "--shape",
            metavar="N,C,H,W,K,R,S,RATE|CSV",
            help="A convolution of your own: batch, channels, height and width of the map, output channels, "
            "rows and columns of the kernel, rate; then ,stride and ,groups. Or a CSV file. Repeat it.",
        ),
    ] = None,
    sizes: Annotated[
        str | None,
        typer.Option(
            "--sizes",
            help="Sides of the (square) images that the nets read; a layer at 1/8 of 513 convolves a map of "
            "65x65. Default: 321,513.",
        ),
    ] = None,
    batches: Annotated[str | None, typer.Option("--batches", help="Images at a time; default: 1,8.")] = None,
    device: Annotated[
        str, typer.Option("--device", help="cpu, cuda or cuda:NUMBER; default: the GPU if there is one.")
    ] = "",
    precisions: Annotated[
        str, typer.Option("--precisions", help="exact, fp32, tf32, bf16, fp16; default: all of the device.")
    ] = "",
    layers: Annotated[str, typer.Option("--layers", help="Only layers whose name contains this.")] = "",
    repeatable: Annotated[
        bool, typer.Option(help="On a GPU: also measure cuDNN restricted to what always gives the same bits.")
    ] = True,
    rounds: Rounds = 5,
    limit: Annotated[
        float | None, typer.Option("--limit", metavar="SECONDS", help="Begin no case after so long.")
    ] = None,
    output: Output = Path("benchmarks/results"),
) -> None:
    """Times convolutions one by one against torch's (cuDNN, oneDNN) at its best: DeepLab's, or your own.

    Weights are packed beforehand, as `atrous_conv2d.pack` does. Padding keeps the size of a map.
    """
    import torch

    from ..bench import conv
    from ..bench.conv_layers import LAYERS, shapes_of
    from ..bench.conv_report import conv_chart, conv_table, write_conv_csv
    from ..bench.conv_shapes import read_shapes
    from ..errors import DeepLabError

    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    known = ("exact",) if device == "cpu" else tuple(conv.CLASSES)
    wanted = precisions.split(",") if precisions else known
    if unknown := [name for name in wanted if name not in known]:
        raise DeepLabError(f"--precisions {unknown[0]}: {', '.join(known)} are to be had on {device}")
    if shapes and (sizes or batches or layers):
        raise DeepLabError("--shape: says all; --sizes, --batches and --layers are for the nets' layers")
    if not (chosen := [layer for layer in LAYERS if layers in layer.name]):
        raise DeepLabError(f"--layers {layers}: of {', '.join(layer.name for layer in LAYERS)}")
    images, counts = parse_counts(sizes or "321,513"), parse_counts(batches or "1,8")
    cases = read_shapes(shapes) if shapes else shapes_of(chosen, images, counts)
    words = ["shapes"] if shapes else layers.split()
    stem = output / "_".join(["conv", *words, *(["gpu"] if device != "cpu" else [])])

    def save(result: dict[str, Any]) -> None:
        write_json(stem.with_suffix(".json"), result)
        write_conv_csv(result, stem.with_suffix(".csv"))

    with console().status("measuring") as status:

        def progress(name: str) -> None:
            status.update(f"measuring {name}")

        result = conv.run(cases, wanted, rounds, device, limit, progress, save, repeatable)
    save(result)
    print_table(conv_table(result))
    if result["left_out"]:
        console().print(f"left out for lack of time: {len(result['left_out'])} cases")
    conv_chart(result, stem.with_suffix(".png"))
    console().print(f"written: {stem}.json, {stem}.csv, {stem}.png")


@verb("crf", into=bench)
def bench_crf(
    sizes: Annotated[str, typer.Option("--sizes", help="Heights and widths.")] = "513x513,360x480",
    labels: Annotated[str, typer.Option("--labels", help="Number of labels for each of --sizes.")] = "21,11",
    threads: Annotated[str, typer.Option("--threads", help="Thread counts; on the CPU.")] = "1,2",
    batches: Annotated[str, typer.Option("--batches", help="Images at a time; on a GPU.")] = "1,8",
    device: Device = "cpu",
    rounds: Rounds = 5,
    scaling: Annotated[bool, typer.Option(help="Measure scaling with pixels and labels, too.")] = True,
    limit: Limit = None,
    peer_python: Annotated[
        str | None, typer.Option("--peer-python", help="A Python that has pydensecrf2; default: this one.")
    ] = None,
    output: Output = Path("benchmarks/results"),
) -> None:
    """Times the dense CRF's construction and inference against pydensecrf2, where that is installed.

    On a GPU: by pixels, labels, batch and flatness of the image, and whether the bits are the CPU's.
    """
    from ..bench import crf
    from ..bench.crf_report import crf_chart, crf_table
    from ..errors import DeepLabError

    places, counts = parse_sizes(sizes), parse_counts(labels)
    if len(places) != len(counts):
        raise DeepLabError(f"--labels {labels}: one number for each of --sizes {sizes} wanted")
    if device != "cpu":
        bench_crf_on_gpu(places, counts, parse_counts(batches), device, rounds, scaling, limit, output)
        return
    if limit:
        raise DeepLabError("--limit is for a GPU; see --device")
    cases = [crf.Case(*place, count) for place, count in zip(places, counts, strict=True)]
    pixels = [crf.Case(side, side, 21) for side in (129, 257, 385, 513, 641)] if scaling else cases
    by_labels = [crf.Case(321, 321, count) for count in (2, 5, 11, 21, 42, 84)] if scaling else cases
    try:
        peer = crf.find_peer(peer_python)
    except (RuntimeError, OSError) as error:
        raise DeepLabError(f"--peer-python: {error}") from None
    with console().status("measuring"):
        result = crf.run(cases, pixels, by_labels, parse_threads(threads), rounds, peer)
    print_table(crf_table(result))
    write_json(output / "crf.json", result)
    crf_chart(result, output / "crf.png")
    console().print(f"written: {output / 'crf'}.json, {output / 'crf'}.png")


def bench_crf_on_gpu(
    sizes: list[tuple[int, int]],
    labels: list[int],
    batches: list[int],
    device: str,
    rounds: int,
    scaling: bool,
    limit: float | None,
    output: Path,
) -> None:
    """The verb's GPU part: crf_gpu.json, crf_gpu.png and a table."""
    from ..bench.crf_gpu import CONTRASTS, Case, run
    from ..bench.crf_gpu_report import crf_gpu_chart, crf_gpu_table

    cases = [
        Case(*place, count, batch) for place, count in zip(sizes, labels, strict=True) for batch in batches
    ]
    first = cases[0]
    sides = (129, 257, 385, 513, 769, 1025) if scaling else ()
    counts = (2, 5, 11, 21, 42, 84, 150) if scaling else ()
    groups = {
        "results": cases,
        "pixels": [Case(side, side, first.labels) for side in sides] or [first],
        "labels": [Case(first.height, first.width, count) for count in counts] or [first],
        "flatness": [first._replace(batch=1, kind=kind) for kind in CONTRASTS],
    }

    def save(result: dict[str, Any]) -> None:
        write_json(output / "crf_gpu.json", result)

    with console().status("measuring"):
        result = run(groups, rounds, device, limit=limit, save=save)
    print_table(crf_gpu_table(result))
    crf_gpu_chart(result, output / "crf_gpu.png")
    console().print(f"written: {output / 'crf_gpu'}.json, {output / 'crf_gpu'}.png")
