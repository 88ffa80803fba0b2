"""`deeplab-caffe bench roofline`: a net's time layer by layer, beside what the machine can do."""

from pathlib import Path
from typing import Annotated

import typer

from .bench import Output, Rounds, bench, parse_sizes
from .options import Model, Threads, Variables, console, parse_variables, print_table, verb, write_json


@verb("roofline", into=bench)
def bench_roofline(
    model: Model = Path("deeplab_v1/largefov"),
    name: Annotated[
        str | None, typer.Option("--name", help="In the file's name; default: the folder's.")
    ] = None,
    size: Annotated[str, typer.Option("--size", help="Input size, N or HxW.")] = "513",
    threads: Threads = 1,
    precision: Annotated[str, typer.Option("--precision", help="exact or fp32.")] = "exact",
    rounds: Rounds = 7,
    clock: Annotated[
        str, typer.Option("--clock", help="wall, or processor: its time, where others are at work, too.")
    ] = "wall",
    variables: Variables = None,
    output: Output = Path("benchmarks/results"),
) -> None:
    """Time, GFLOP/s, bytes and share of the peak of every layer, with random weights, on the CPU."""
    from ..bench import roofline
    from ..errors import DeepLabError
    from ..threads import thread_count

    if precision not in ("exact", "fp32"):
        raise DeepLabError(f"--precision {precision}: exact or fp32 wanted, whose layers run one by one")
    if clock not in ("wall", "processor"):
        raise DeepLabError(f"--clock {clock}: wall or processor wanted")
    sizes = parse_sizes(size)
    if len(sizes) != 1:
        raise DeepLabError(f"--size {size}: one size wanted")
    count, values = thread_count(threads), parse_variables(variables)
    with console().status("measuring"):
        result = roofline.run(str(model), sizes[0], count, rounds, values, precision, clock == "processor")
    path = output / f"roofline_{name or Path(model).parent.name}.json"
    write_json(path, result)
    print_table(roofline.table(result))
    console().print(f"written: {path}")
