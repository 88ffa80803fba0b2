"""`deeplab-caffe models`: the nets that ship, and where weights for them were released."""

from typing import Annotated

import typer

from . import options
from .options import verb


@verb("models")
def models(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the nets that ship: `--model NAME` takes them by name, wherever you are.

    NAME/test and the like are a net's other prototxts. Variables have the values shown unless --set says
    otherwise. Weights do not ship, but for camvid_largefov; the list says where weights are known to have
    been released. Files of other programs go through `convert`.
    """
    from rich.table import Table

    from ..assets import asset
    from ..assets.models import shipped_nets

    nets = shipped_nets()
    if as_json:
        import dataclasses
        import json

        print(json.dumps([dataclasses.asdict(net) | {"path": str(net.path)} for net in nets], indent=1))
        return
    table = Table("name", "net", "dialect", "input", "labels", "parameters", "variables")
    for column in table.columns[3:6]:
        column.justify = "right"
    for net in nets:
        variables = "\n".join(f"--set {name}={value}" for name, value in net.set.items())
        size = "x".join(map(str, net.input))
        parameters = f"{net.parameters:,}"
        table.add_row(net.name, net.title, net.dialect, size, str(net.labels), parameters, variables)
    options.print_table(table)
    released = Table("name", "labels", "file", "where; how", title="weights that were released")
    for column in (*table.columns, *released.columns):
        column.overflow = "fold"
    for net in nets:
        for weights in net.weights:
            where = f"ships: --weights {net.name}" if weights.source == net.name else weights.source
            how = f"; convert --backbone {weights.convert}" if weights.convert else ""
            released.add_row(net.name, str(weights.labels), weights.file, where + how)
    options.print_table(released)
    print(f"prototxts: {asset('prototxt')}")
