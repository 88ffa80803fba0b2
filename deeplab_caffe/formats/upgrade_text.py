"""Brings the text of old nets and solvers into the V2 layout, comments and `${NAME}` as they were.

The same rules as `upgrade`, which works on messages, but on the text itself; what comes out is compared with
what `upgrade` makes of the original.
"""

from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from ..errors import DeepLabError
from . import caffe_pb2
from .layer_types import V0_TYPES, V1_TYPES
from .prototxt import SOLVER_TYPES, parse_message
from .prototxt_text import variables_of
from .prototxt_tree import Field, Message, parse
from .upgrade import DATA_PARAMS, TRANSFORM, V0_FIELDS, V0_TRANSFORM, upgrade
from .upgrade_meaning import keep_meaning, set_field

# V1's lists of a layer's parameters -> their place in V2's `param`.
_PARAM_FIELDS = {
    "param": "name",
    "blob_share_mode": "share_mode",
    "blobs_lr": "lr_mult",
    "weight_decay": "decay_mult",
}
_V1_NUMBERS = {value.name: value.number for value in caffe_pb2.V1LayerParameter.LayerType.DESCRIPTOR.values}


@dataclass
class UpgradedText:
    """The text; was: what it was ("V0", "V1", "V2", "solver"); remarks: what V2 computes otherwise."""

    text: str
    was: str
    remarks: list[str] = field(default_factory=list)


def upgrade_text(text: str, source: str) -> UpgradedText:
    """The text of a net or a solver in today's layout.

    `layers` becomes `layer`, types get their V2 names, `blobs_lr` and the like become `param { }`, `hole`
    dilation, data layers' transformations transform_param, V0's padding layers the `pad` of convolutions, a
    solver's `solver_type` type. Where DeepLab v1's layers compute otherwise than v2's, fields are added that
    keep what they do; what no field can keep is in `remarks`. `${NAME}` may stand for any value.

    Raises DeepLabError naming file, line, layer and field, as read_net does.
    """
    tree = parse(text, source)
    if not tree.fields:
        raise DeepLabError(f"{source}: no layers and no solver in it")
    if any(tree.all("solver_type")) or not any(tree.all("layer", "layers", "input")):
        return _upgrade_solver(tree, text, source)
    before = _layers_of(text, source)
    was = "V2"
    if any(tree.all("layers")):
        old = any(f.value.message("layer") for f in tree.all("layers") if isinstance(f.value, Message))
        was = "V0" if old else "V1"
    for layer in tree.all("layer", "layers"):
        if isinstance(layer.value, Message):
            if layer.name == "layers":
                layer.name = "layer"
                _upgrade_layer(layer.value, source)
            _modernise(layer.value)
    if was == "V0":
        _fold_padding(tree)
    rewritten = str(tree)
    if rewritten != text and (after := _layers_of(rewritten, source)) != before:
        pairs = zip_longest(before, after)
        name = next((old or new).name for old, new in pairs if old != new)
        raise DeepLabError(f"{source}: layer '{name}': cannot be rewritten; has it fields of two versions?")
    remarks = [] if was == "V2" else keep_meaning(tree, source)
    if str(tree) != rewritten:
        _layers_of(str(tree), source)
    return UpgradedText(str(tree), was, remarks)


def _layers_of(text: str, source: str) -> list[Any]:
    """The V2 messages of a net's layers, every variable taken as 1."""
    net = parse_message(text, caffe_pb2.NetParameter(), dict.fromkeys(variables_of(text), "1"), source)

    def fail(index: int, name: str, message: str) -> DeepLabError:
        layer = (net.layers or net.layer)[index]
        return DeepLabError(f"{source}: layer '{layer.name}': {name}: {message}")

    return [layer for _, layer in upgrade(net, fail)]


def _upgrade_solver(tree: Message, text: str, source: str) -> UpgradedText:
    parse_message(text, caffe_pb2.SolverParameter(), dict.fromkeys(variables_of(text), "1"), source)
    for old in tree.all("solver_type"):
        number = int(old.plain) if old.plain.isdigit() else None
        name = old.plain if number is None else caffe_pb2.SolverParameter.SolverType.Name(number)
        if name not in SOLVER_TYPES:
            raise DeepLabError(f"{source}: solver_type: {old.value} given, a type's name wanted")
        old.name, old.value = "type", f'"{SOLVER_TYPES[name]}"'
    return UpgradedText(str(tree), "solver")


def _upgrade_layer(layer: Message, source: str) -> None:
    """A V0 or V1 layer's fields as V2's, in place."""
    connection = next((part for part in layer.fields if part.name == "layer"), None)
    if connection is not None and isinstance(connection.value, Message):
        at = layer.fields.index(connection)
        layer.fields[at : at + 1] = _from_v0(connection.value)
    else:
        for kind in layer.all("type"):
            number = int(kind.plain) if kind.plain.isdigit() else _V1_NUMBERS.get(kind.plain, -1)
            if number not in V1_TYPES:
                name = layer.text("name")
                raise DeepLabError(
                    f"{source}: layer '{name}': type: {kind.value} given, a type's name wanted"
                )
            kind.value = f'"{V1_TYPES[number]}"'
    _gather_params(layer)


def _from_v0(old: Message) -> list[Field]:
    """The fields of a V0 layer, sorted into the messages they belong to."""
    kind = old.text("type")
    found: list[Field] = []
    groups: dict[str, Message] = {}
    for part in old.fields:
        places = [V0_FIELDS.get(part.name, {}).get(kind, part.name)]
        if part.name in V0_TRANSFORM:
            places = [f"transform_param.{V0_TRANSFORM[part.name]}"]
        elif part.name == "pad" and kind == "padding":
            places = ["padding_param.pad_beg", "padding_param.pad_end"]
        for place in places:
            group, _, name = place.rpartition(".")
            value = f'"{V0_TYPES[kind]}"' if name == "type" else part.value
            if group and group not in groups:
                groups[group] = Message()
                found.append(Field(group, groups[group], part.lead, " "))
                groups[group].fields.append(Field(name, value, " ", part.colon))
            elif group:
                groups[group].fields.append(Field(name, value, _inside(part.lead), part.colon))
            else:
                found.append(Field(name, value, part.lead, part.colon))
    return found


def _inside(lead: str) -> str:
    """What goes before a field that moves into a message of one line: a comment stays."""
    return lead if "#" in lead else " "


def _gather_params(layer: Message) -> None:
    """`blobs_lr: 1 blobs_lr: 2 weight_decay: 1 ...` as one `param { }` for each parameter."""
    old = [part for part in layer.all(*_PARAM_FIELDS) if isinstance(part.value, str)]
    values: dict[str, list[str]] = {new: [] for new in _PARAM_FIELDS.values()}
    for part in old:
        values[_PARAM_FIELDS[part.name]] += part.items
    new = [
        Field(
            "param",
            Message([Field(name, given[i]) for name, given in values.items() if i < len(given)]),
            "",
            " ",
        )
        for i in range(max(map(len, values.values())))
    ]
    if not new:
        return
    # They stand where the old fields stood; those in a list come right behind it.
    for place, added in zip(old, new, strict=False):
        added.lead = place.lead
    for added in new[len(old) :]:
        added.lead = " "
    last = min(len(old), len(new)) - 1
    for i, place in enumerate(old):
        at = next(k for k, part in enumerate(layer.fields) if part is place)
        layer.fields[at : at + 1] = new[i : i + 1] if i != last else new[i:]
        if i >= len(new):
            _keep_comment(layer, at, place.lead)


def _keep_comment(message: Message, at: int, lead: str) -> None:
    """A comment in front of a field that was taken out goes to what is now at `at`."""
    if "#" not in lead:
        return
    if at < len(message.fields):
        after = message.fields[at]
        after.lead = lead + (after.lead if "#" in after.lead else "")
    else:
        message.tail = lead + (message.tail if "#" in message.tail else "")


def _modernise(layer: Message) -> None:
    """`hole` to dilation, transformations of data layers to transform_param, in place."""
    for convolution in layer.all("convolution_param"):
        if isinstance(convolution.value, Message):
            given = {part.name: part.value for part in convolution.value.all("hole_h", "hole_w")}
            order = [given[name] for name in ("hole_h", "hole_w") if name in given]
            for part, value in zip(list(convolution.value.all("hole_h", "hole_w")), order, strict=False):
                part.name, part.value = "dilation", value
            for part in convolution.value.all("hole"):
                part.name = "dilation"
    for data in [part for part in layer.all(*DATA_PARAMS) if isinstance(part.value, Message)]:
        _move_transformations(layer, data, data.value)


def _move_transformations(layer: Message, place: Field, data: Message | str) -> None:
    assert isinstance(data, Message)
    moved = list(data.all(*TRANSFORM))
    target = layer.message("transform_param")
    if moved and target is None:
        target = Message()
        lead = " " if "#" in place.lead else place.lead
        layer.fields.insert(layer.fields.index(place) + 1, Field("transform_param", target, lead, " "))
    for part in moved:
        assert target is not None
        at = next(k for k, one in enumerate(data.fields) if one is part)
        data.fields.pop(at)
        part.lead = _inside(part.lead)
        target.fields = [one for one in target.fields if one.name != part.name] + [part]


def _fold_padding(tree: Message) -> None:
    """V0's padding layers into the convolutions that read them."""
    pads: dict[str, tuple[str, Message | str]] = {}
    for place in list(tree.all("layer")):
        layer = place.value
        assert isinstance(layer, Message)
        if layer.text("type") == "Padding":
            size = layer.message("padding_param")
            value = next(size.all("pad_beg")).value if size else "0"
            pads[layer.text("top")] = next(layer.all("bottom")).plain, value
            at = next(k for k, one in enumerate(tree.fields) if one is place)
            tree.fields.pop(at)
            _keep_comment(tree, at, place.lead)
            continue
        for bottom in layer.all("bottom"):
            if bottom.plain in pads:
                before, value = pads[bottom.plain]
                bottom.value = f'"{before}"'
                set_field(layer, "convolution_param", "pad", str(value))
        for top in layer.all("top"):
            pads.pop(top.plain, None)
