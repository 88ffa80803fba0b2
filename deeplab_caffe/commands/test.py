"""`deeplab-caffe test`: runs a net and averages its outputs, as `caffe test` does."""

from typing import Annotated

import typer

from . import base
from .base import verb


@verb("test")
def test(
    model: base.Model,
    weights: base.Weights = None,
    iterations: Annotated[int, typer.Option(min=1, help="How often to run the net.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print the averages as JSON.")] = False,
    variables: base.Variables = None,
    device: base.Device = "cpu",
    precision: base.Precision = "exact",
    threads: base.Threads = None,
) -> None:
    """Run a net that feeds itself, and print each output's mean over all runs (loss, accuracies)."""
    import json

    from rich.table import Table

    from ..errors import DeepLabError
    from ..net import Net
    from ..solver import average_outputs

    place = {"device": device, "precision": precision, "threads": threads}
    net = Net(model, weights, variables=base.parse_variables(variables), **place)
    if net.inputs:
        names = ", ".join(net.inputs)
        raise DeepLabError(f"{model}: input {names}: a net to test feeds itself; see forward")
    with base.progress(base.console()) as bar:
        task = bar.add_task("iterations", total=iterations)
        averages = average_outputs(net, iterations, lambda: bar.advance(task))
    values = {name: tensor.flatten().tolist() for name, tensor in averages.items()}
    if as_json:
        print(json.dumps({"iterations": iterations, "outputs": values}, indent=1))
        return
    table = Table("output", "number", "mean")
    for name, numbers in values.items():
        for i, number in enumerate(numbers):
            table.add_row(name, str(i), f"{number:.6g}")
    base.print_table(table)
