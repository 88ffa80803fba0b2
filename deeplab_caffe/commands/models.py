"""`deeplab-caffe models`: the nets that ship, and where weights for them were released."""

from typing import Annotated

import typer

from . import options
from .options import verb


@verb("models")
def models(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the nets that ship: `--model NAME` takes them by name, wherever you are.

    Dialect v1: DeepLab v1's Caffe; v2: later Caffes; v2+: with fields that no Caffe has.
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
    table = Table(box=None, pad_edge=False)  # 79 columns: names are not to be cut
    for heading in ("name", "dialect", "input", "labels", "parameters"):
        right = heading in ("input", "labels", "parameters")
        table.add_column(heading, justify="right" if right else "left", no_wrap=True)
    for net in nets:
        size = "x".join(map(str, net.input))
        table.add_row(net.name, net.dialect, size, str(net.labels), f"{net.parameters:,}")
    options.print_table(table)
    print("\nReleased weights:")
    for net in nets:
        for weights in net.weights:
            where = f"ships: --weights {net.name}" if weights.source == net.name else weights.source
            how = f"  (convert --backbone {weights.convert})" if weights.convert else ""
            print(f"  {net.name}: {weights.file}, {weights.labels} labels\n    {where}{how}")
    for settings in dict.fromkeys(tuple(net.set.items()) for net in nets if net.set):
        names = ", ".join(net.name for net in nets if tuple(net.set.items()) == settings)
        values = " ".join(f"--set {name}={value}" for name, value in settings)
        print(f"Variables: {values} unless given otherwise, of {names}")
    print(f"Prototxts: {asset('prototxt')}")
