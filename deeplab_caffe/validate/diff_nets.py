"""Two nets, layer by layer: fields, connections, shapes."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from difflib import SequenceMatcher
from typing import Any, Literal

from ..engine.cost import LayerCost, NetCost, analyse
from ..errors import DeepLabError
from ..formats.net_definition import LayerDefinition, NetDefinition

# "reshaped": the layer is the same, its shapes follow from other layers or inputs.
Change = Literal["changed", "renamed", "reshaped", "moved", "only in the first", "only in the second"]

# Fields that say who a layer is, or when it takes part: compared apart, or settled by then.
_APART = {"name", "type", "bottom", "top", "include", "exclude", "phase"}
# What an empty list stands for.
_EMPTY = {"dilation": 1, "stride": 1, "pad": 0}


@dataclass(frozen=True)
class FieldChange:
    """A field's value in both, as text; "" where it is not there."""

    field: str
    first: str
    second: str


@dataclass(frozen=True)
class LayerChange:
    """A layer that differs. name: in the first, or where it is only in the second, there."""

    name: str
    type: str
    change: Change
    fields: list[FieldChange] = field(default_factory=list)


@dataclass(frozen=True)
class NetDiff:
    """same: nothing differs. counts: layers of each. shapes: "known", or why they were not compared."""

    same: bool
    first: str
    second: str
    counts: tuple[int, int]
    layers: list[LayerChange]
    inputs: list[FieldChange]
    dialect: FieldChange | None
    shapes: str

    def to_json(self) -> dict[str, Any]:
        """As plain lists and dictionaries."""
        return {"kind": "nets", **asdict(self)}


def diff_nets(first: NetDefinition, second: NetDefinition) -> NetDiff:
    """What differs. Layers belong together by name; those left over by type and fields, in order."""
    costs, reason = _costs(first), ""
    other_costs = _costs(second)
    for found in (costs, other_costs):
        if isinstance(found, str):
            reason = found
    shaped = _Shapes(
        costs if isinstance(costs, NetCost) and not reason else None,
        other_costs if isinstance(other_costs, NetCost) and not reason else None,
    )
    layers = list(_layers(first.layers, second.layers, shaped))
    inputs = [
        FieldChange(name, _shape(first.inputs.get(name)), _shape(second.inputs.get(name)))
        for name in dict.fromkeys([*first.inputs, *second.inputs])
        if first.inputs.get(name) != second.inputs.get(name)
    ]
    dialect = None
    if first.dialect is not second.dialect:
        dialect = FieldChange("dialect", first.dialect.value, second.dialect.value)
    same = not layers and not inputs and dialect is None
    return NetDiff(
        same,
        first.source,
        second.source,
        (len(first.layers), len(second.layers)),
        layers,
        inputs,
        dialect,
        reason or "known",
    )


class _Shapes:
    """Tops' and parameters' shapes of two nets by layer number, where both are known."""

    def __init__(self, first: NetCost | None, second: NetCost | None) -> None:
        self.both = (first.layers, second.layers) if first and second else None

    def changes(self, i: int, j: int) -> Iterator[FieldChange]:
        if self.both is None:
            return
        a, b = self.both[0][i], self.both[1][j]
        tops = list(a.tops.values()), list(b.tops.values())
        if tops[0] != tops[1]:
            yield FieldChange("shapes of the tops", _texts(tops[0]), _texts(tops[1]))
        if a.parameter_shapes != b.parameter_shapes:
            yield FieldChange(
                "shapes of the parameters", _texts(a.parameter_shapes), _texts(b.parameter_shapes)
            )
        yield from _numbers(a, b)


def _numbers(a: LayerCost, b: LayerCost) -> Iterator[FieldChange]:
    if a.multiply_adds != b.multiply_adds:
        yield FieldChange("multiply-adds", f"{a.multiply_adds:,}", f"{b.multiply_adds:,}")


def _costs(definition: NetDefinition) -> NetCost | str:
    try:
        return analyse(definition)
    except DeepLabError as error:
        return str(error)


def _layers(
    first: Sequence[LayerDefinition], second: Sequence[LayerDefinition], shapes: _Shapes
) -> Iterator[LayerChange]:
    partner = _partners(first, second)
    back = {j: i for i, j in partner.items()}
    moved = _moved(partner)
    for j, layer in enumerate(second):
        if j not in back:
            continue
        i = back[j]
        own, sizes = list(_changes(first[i], layer)), list(shapes.changes(i, j))
        if first[i].name != layer.name:
            own.insert(0, FieldChange("name", first[i].name, layer.name))
            yield LayerChange(first[i].name, layer.type, "renamed", own + sizes)
        elif own:
            yield LayerChange(layer.name, layer.type, "changed", own + sizes)
        elif i in moved:
            place = FieldChange("place", str(i), str(j))
            yield LayerChange(layer.name, layer.type, "moved", [place, *sizes])
        elif sizes:
            yield LayerChange(layer.name, layer.type, "reshaped", sizes)
    for i, layer in enumerate(first):
        if i not in partner:
            yield LayerChange(layer.name, layer.type, "only in the first")
    for j, layer in enumerate(second):
        if j not in back:
            yield LayerChange(layer.name, layer.type, "only in the second")


def _partners(first: Sequence[LayerDefinition], second: Sequence[LayerDefinition]) -> dict[int, int]:
    """Numbers of layers in the first to those in the second."""
    names = {layer.name: j for j, layer in enumerate(second)}
    partner = {i: names[layer.name] for i, layer in enumerate(first) if layer.name in names}
    taken = set(partner.values())
    rest = [i for i in range(len(first)) if i not in partner]
    others = [j for j in range(len(second)) if j not in taken]
    ours, theirs = [_signature(first[i]) for i in rest], [_signature(second[j]) for j in others]
    for a, b, size in SequenceMatcher(None, ours, theirs, autojunk=False).get_matching_blocks():
        partner.update({rest[a + k]: others[b + k] for k in range(size)})
    return partner


def _moved(partner: dict[int, int]) -> set[int]:
    """Layers whose order among the others differs: all but a longest row that keeps it."""
    numbers = [partner[i] for i in sorted(partner)]
    matcher = SequenceMatcher(None, numbers, sorted(numbers), autojunk=False)
    kept = {numbers[a + k] for a, _, size in matcher.get_matching_blocks() for k in range(size)}
    return {i for i, j in partner.items() if j not in kept}


def _signature(layer: LayerDefinition) -> tuple[Any, ...]:
    return layer.type, len(layer.bottoms), len(layer.tops), tuple(sorted(_fields(layer).items()))


def _changes(a: LayerDefinition, b: LayerDefinition) -> Iterator[FieldChange]:
    for name, first, second in (
        ("type", a.type, b.type),
        ("bottoms", ", ".join(a.bottoms), ", ".join(b.bottoms)),
        ("tops", ", ".join(a.tops), ", ".join(b.tops)),
    ):
        if first != second:
            yield FieldChange(name, first, second)
    fields, others = _fields(a), _fields(b)
    for name in sorted({*fields, *others}):
        ours = fields.get(name) or _default(a, name)
        theirs = others.get(name) or _default(b, name)
        if ours != theirs:
            yield FieldChange(name, ours, theirs)


def _fields(layer: LayerDefinition) -> dict[str, str]:
    """What is given, by path: convolution_param.pad: "1"."""
    return dict(_flat(layer.param, ""))


def _flat(message: Any, path: str) -> Iterator[tuple[str, str]]:
    for descriptor, value in message.ListFields():
        if not path and descriptor.name in _APART:
            continue
        name = path + descriptor.name
        many = _is_list(value)
        if hasattr(value, "ListFields"):
            yield from _flat(value, name + ".")
        elif many and len(value) and hasattr(value[0], "ListFields"):
            for number, item in enumerate(value):
                yield from _flat(item, f"{name}[{number}].")
        elif many:
            yield name, ", ".join(_text(descriptor, item) for item in value)
        else:
            yield name, _text(descriptor, value)


def _is_list(value: Any) -> bool:
    message = hasattr(value, "ListFields")
    return not message and hasattr(value, "__len__") and not isinstance(value, str | bytes)


def _text(descriptor: Any, value: Any) -> str:
    if descriptor.enum_type is not None:
        return descriptor.enum_type.values_by_number[value].name
    return f"{value:.9g}" if isinstance(value, float) else str(value)


def _default(layer: LayerDefinition, path: str) -> str:
    """What a field that is not given stands for, as text; "" if that is nothing."""
    message: Any = layer.param
    *parents, name = path.split(".")
    for parent in parents:
        if "[" in parent:
            return ""
        message = getattr(message, parent)
    descriptor = message.DESCRIPTOR.fields_by_name[name]
    value = getattr(message, name)
    if hasattr(value, "ListFields") or _is_list(value):
        return str(_EMPTY.get(name, ""))
    return _text(descriptor, value)


def _shape(shape: Sequence[int] | None) -> str:
    return "" if shape is None else "x".join(map(str, shape))


def _texts(shapes: Sequence[Sequence[int]]) -> str:
    return ", ".join(map(_shape, shapes))
