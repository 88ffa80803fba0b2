"""`deeplab-caffe upgrade`: nets, solvers and weights of old Caffes in today's layout."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import DeepLabError
from . import options
from .options import verb


@verb("upgrade")
def upgrade(
    source: Annotated[
        Path, typer.Argument(metavar="FILE|NAME", help="A prototxt of a net or a solver, or a caffemodel.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The same, upgraded.")],
) -> None:
    """Bring a prototxt or a caffemodel of V0, V1 or DeepLab v1 into the V2 layout, as Caffe's own tools do.

    Of a text comments, blanks and ${NAME} stay as they are. `hole` becomes dilation. Where DeepLab v1's
    layers compute otherwise than v2's under the same name, fields and layers are added that keep the numbers;
    what nothing can keep is told.
    """
    if not source.suffix and not source.exists():
        source = options.find_model(source) or source  # a net that ships, by its name
    if _is_text(source):
        _upgrade_text(source, output)
    else:
        _upgrade_weights(source, output)


def _is_text(path: Path) -> bool:
    from ..formats.files import open_file, reading

    with open_file(path) as file, reading(path):
        head = file.read(1 << 16)
    if not head:
        raise DeepLabError(f"{path}: the file is empty")
    return path.suffix != ".caffemodel" and b"\0" not in head


def _upgrade_text(source: Path, output: Path) -> None:
    from ..formats.files import replacing
    from ..formats.prototxt import read_text
    from ..formats.upgrade_text import upgrade_text

    text = read_text(source)
    upgraded = upgrade_text(text, str(source))
    output.parent.mkdir(parents=True, exist_ok=True)
    with replacing(output) as file:
        file.write(upgraded.text.encode())
    for remark in upgraded.remarks:
        options.console().print(remark, markup=False, soft_wrap=True)
    change = "nothing to upgrade" if upgraded.text == text else "upgraded"
    print(
        f"{output}: {change} (a solver)"
        if upgraded.was == "solver"
        else f"{output}: {change} ({upgraded.was})"
    )


def _upgrade_weights(source: Path, output: Path) -> None:
    from ..formats.caffemodel import read_name, write_caffemodel
    from ..formats.weights import read_layers

    layers = read_layers(source)
    if not any(layer.type for layer in layers):
        raise DeepLabError(f"{source}: no layer in it has a type; HDF5 weights have no old layout")
    output.parent.mkdir(parents=True, exist_ok=True)
    write_caffemodel(output, layers, name=read_name(source), old_shapes=True)
    filled = sum(bool(layer.blobs) for layer in layers)
    print(f"{output}: {len(layers)} layers in V2 records, {filled} with parameters")
