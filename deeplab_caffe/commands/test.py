"""`deeplab-caffe test`: runs a net and averages its outputs, as `caffe test` does."""

from typing import Annotated

import typer

from . import net_options, options
from .numbers import MOST_ITERATIONS
from .options import verb


@verb("test")
def test(
    model: options.Model,
    weights: options.Weights = None,
    random_weights: options.RandomWeights = False,
    iterations: Annotated[
        int, typer.Option(min=1, max=MOST_ITERATIONS, help="How often to run the net.")
    ] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print the averages as JSON.")] = False,
    level: options.Level = 0,
    stages: options.Stages = None,
    dialect: options.Dialect = None,
    variables: options.Variables = None,
    device: options.Device = "cpu",
    precision: options.Precision = "exact",
    threads: options.Threads = None,
    allow_python_layers: options.AllowPythonLayers = False,
) -> None:
    """Run a net that feeds itself, and print each output's mean over all runs (loss, accuracies)."""
    import json

    from rich.table import Table

    from ..engine.net import Net
    from ..engine.read_model import read_model
    from ..engine.weights import check_given
    from ..errors import DeepLabError
    from ..solver import average_outputs

    rules = net_options.rules(variables, level, stages, dialect)
    definition = read_model(model, **rules)
    net = Net(definition, weights, device=device, precision=precision, threads=threads)
    check_given(net.layers, weights, random_weights, net.definition.source)
    if net.inputs:
        names = ", ".join(net.inputs)
        raise DeepLabError(f"{model}: input {names}: a net to test feeds itself; see forward")
    with options.progress(options.console()) as bar:
        task = bar.add_task("iterations", total=iterations)
        averages = average_outputs(net, iterations, lambda: bar.advance(task))
    outputs = {name: tensor.flatten().tolist() for name, tensor in averages.items()}
    if as_json:
        print(json.dumps({"iterations": iterations, "outputs": outputs}, indent=1))
        return
    table = Table("output", "number", "mean")
    for name, numbers in outputs.items():
        for i, number in enumerate(numbers):
            table.add_row(name, str(i), f"{number:.6g}")
    options.print_table(table)
