"""`deeplab-caffe inspect`: what a net's layers look like and cost."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import DeepLabError
from . import net_options, options, shape_options
from .options import verb

if TYPE_CHECKING:
    from ..engine.cost import NetCost
    from ..formats.net_definition import NetDefinition


@verb("inspect")
def inspect(
    model: options.Model,
    weights: options.Weights = None,
    size: options.Size = None,
    shapes: options.Shapes = None,
    phase: Annotated[str, typer.Option(help="test or train.")] = "test",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the net as a page to look at: a graph one can click."),
    ] = None,
    svg: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the graph as a drawing.")] = None,
    unfold: Annotated[
        bool, typer.Option("--unfold", help="Draw blocks that repeat in full, in both.")
    ] = False,
    image: Annotated[
        Path | None,
        typer.Option(help="Photo on which the page shows receptive fields; default: a street scene."),
    ] = None,
    level: options.Level = 0,
    stages: options.Stages = None,
    dialect: options.Dialect = None,
    variables: options.Variables = None,
    allow_python_layers: options.AllowPythonLayers = False,
) -> None:
    """Show each layer's output, parameters, multiply-adds, receptive field, stride and memory.

    Needs neither weights nor data files: where a layer that feeds the net cannot run, its fields, --size and
    --shape tell what it would give. `inside` is the share of the multiply-adds that remains when taps in
    the padding are skipped, counted exactly for every output position. With --weights it also tells which
    layers the file fills. With --html or --svg the table is left out.
    """
    from ..engine.cost import analyse
    from ..engine.read_model import read_model

    for option, wanted in (("--image", image), ("--unfold", unfold)):
        if wanted and not (html or (svg and option == "--unfold")):
            raise DeepLabError(f"{option} belongs to --html{'' if option == '--image' else ' or --svg'}")
    rules = net_options.rules(variables, level, stages, dialect)
    rules["variables"] = names_of_files(model) | rules["variables"]
    definition = read_model(model, phase=phase, **rules)
    cost = analyse(definition, shape_options.parse_size(size), phase, shape_options.parse_shapes(shapes))
    match = match_file(definition, cost, str(weights)) if weights else {}
    if html:
        from ..assets import demo_photos
        from ..netgraph.page import write_html

        html.parent.mkdir(parents=True, exist_ok=True)
        write_html(html, definition, cost, image or demo_photos()[0], unfold)
    if svg:
        from ..netgraph.svg import write_svg

        svg.parent.mkdir(parents=True, exist_ok=True)
        write_svg(svg, definition, cost, unfold)
    for written in filter(None, (html, svg)):
        options.console().print(f"written: {written}", markup=False)
    if as_json:
        import dataclasses
        import json

        meaning = {"dialect": definition.dialect.value, "dialect_reason": definition.dialect_reason}
        report = dataclasses.asdict(cost) | meaning | ({"weights": match} if match else {})
        print(json.dumps(report, indent=1))
        return
    if not (html or svg):
        _print(cost)
        print(f"layers as in dialect {definition.dialect.value} ({definition.dialect_reason})")
    for what, names in match.items():
        print(f"{what}: {len(names)} layers{': ' if names else ''}{', '.join(names)}")


def names_of_files(model: Path) -> dict[str, str]:
    """What stands for the variables of a prototxt that only name files: themselves, as no file is opened."""
    from ..assets.models import model_path
    from ..formats.prototxt import read_text
    from ..formats.prototxt_text import variables_of_strings

    return {name: f"${{{name}}}" for name in variables_of_strings(read_text(model_path(model)))}


def match_file(definition: "NetDefinition", cost: "NetCost", path: str) -> dict[str, list[str]]:
    """Which layers the caffemodel fills, which of its layers the net lacks, and the other way round."""
    from ..engine.weight_match import LayerShapes, match_weights
    from ..formats.weights import read_layers

    layers = [
        LayerShapes(
            layer.name,
            tuple(costs.parameter_shapes),
            layer.param.strict_dim,
            tuple(spec.name for spec in layer.params),
        )
        for layer, costs in zip(definition.layers, cost.layers, strict=True)
    ]
    match = match_weights(read_layers(path), layers, path)
    loaded = list(dict.fromkeys(copy.layer for copy in match.copies))
    return {"loaded": loaded, "unused": match.unused, "missing": match.missing}


def _print(cost: "NetCost") -> None:
    from rich.table import Table

    table = Table(title=cost.name, title_justify="left")
    for heading, right in (
        ("layer", False),
        ("type", False),
        ("output", False),
        ("parameters", True),
        ("multiply-adds", True),
        ("inside", True),
        ("field", True),
        ("stride", True),
        ("MB", True),
    ):
        table.add_column(heading, justify="right" if right else "left", overflow="fold")
    for layer in cost.layers:
        table.add_row(
            layer.name,
            layer.type,
            "\n".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in layer.tops.items()),
            f"{layer.parameters:,}" if layer.parameters else "",
            f"{layer.multiply_adds / 1e6:,.1f} M" if layer.multiply_adds else "",
            _share(layer.effective_multiply_adds, layer.multiply_adds),
            _pair(layer.receptive_field),
            _pair(layer.stride),
            f"{layer.memory / 1e6:.2f}",
        )
    share = _share(cost.effective_multiply_adds, cost.multiply_adds) or "-"
    options.print_table(table)
    print(
        f"{cost.parameters:,} parameters ({cost.parameters * 4 / 1e6:.1f} MB), "
        f"{cost.multiply_adds / 1e9:.2f} G multiply-adds, {share} of them inside the image; "
        f"blobs {cost.blob_memory / 1e6:.1f} MB, of which {cost.peak_memory / 1e6:.1f} MB alive at once"
    )


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else ""


def _pair(pair: tuple[float, float]) -> str:
    texts = [f"{value:.4g}" if value < 1000 else f"{value:.0f}" for value in pair]
    return texts[0] if texts[0] == texts[1] else "x".join(texts)
