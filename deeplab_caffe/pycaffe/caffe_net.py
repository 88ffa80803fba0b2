"""A net as Caffe builds it: its inputs are a layer, and a blob with several readers has a Split layer."""

from collections.abc import Sequence
from dataclasses import replace

from ..formats import caffe_pb2
from ..formats.net_definition import LayerDefinition, NetDefinition

# (layer number, top number) of who produces a blob.
_Place = tuple[int, int]


def as_caffe_builds(definition: NetDefinition) -> NetDefinition:
    """The net with the layers that Caffe adds, under Caffe's names."""
    return replace(definition, inputs={}, layers=tuple(_with_splits(_with_input_layer(definition))))


def _with_input_layer(definition: NetDefinition) -> list[LayerDefinition]:
    """The layers; a layer `input` in front stands for the net's own inputs."""
    if not definition.inputs:
        return list(definition.layers)
    param = caffe_pb2.LayerParameter(name="input", type="Input", top=list(definition.inputs))
    for shape in definition.inputs.values():
        param.input_param.shape.add(dim=shape)
    layer = LayerDefinition(
        "input",
        "Input",
        (),
        tuple(definition.inputs),
        param,
        dialect=definition.dialect,
        line=1,
        source=definition.source,
        added=True,
    )
    return [layer, *definition.layers]


def _with_splits(layers: Sequence[LayerDefinition]) -> list[LayerDefinition]:
    producer, readers = _connections(layers)
    given: dict[_Place, int] = {}  # how many of a Split's tops have a reader by now
    result = []
    for number, layer in enumerate(layers):
        bottoms = []
        for i, name in enumerate(layer.bottoms):
            place = producer.get((number, i))
            if place is None or readers[place] < 2:
                bottoms.append(name)
                continue
            bottoms.append(_split_top(layers[place[0]], name, place[1], given.get(place, 0)))
            given[place] = given.get(place, 0) + 1
        weights = list(layer.param.loss_weight)
        tops = [(i, name) for i, name in enumerate(layer.tops) if readers.get((number, i), 0) > 1]
        moved = [i for i, _ in tops if i < len(weights) and weights[i]]
        param = caffe_pb2.LayerParameter()
        param.CopyFrom(layer.param)
        if moved:
            param.ClearField("loss_weight")
        result.append(replace(layer, bottoms=tuple(bottoms), param=param))
        for i, name in tops:
            result.append(_split(layer, name, i, readers[number, i], weights[i] if i in moved else 0))
            if i in moved:
                given[number, i] = given.get((number, i), 0) + 1
    return result


def _connections(
    layers: Sequence[LayerDefinition],
) -> tuple[dict[tuple[int, int], _Place], dict[_Place, int]]:
    """For each (layer, bottom) who produces it; for each producer how many read it, the loss among them."""
    producer: dict[tuple[int, int], _Place] = {}
    readers: dict[_Place, int] = {}
    last: dict[str, _Place] = {}
    for number, layer in enumerate(layers):
        for i, name in enumerate(layer.bottoms):
            if name in last:  # else the net is wrong, and says so when it is made
                producer[number, i] = last[name]
                readers[last[name]] = readers.get(last[name], 0) + 1
        for i, name in enumerate(layer.tops):
            last[name] = number, i
            if i < len(layer.param.loss_weight) and layer.param.loss_weight[i]:
                readers[number, i] = 1
    return producer, readers


def _split(layer: LayerDefinition, blob: str, top: int, count: int, weight: float) -> LayerDefinition:
    name = f"{blob}_{layer.name}_{top}_split"
    tops = tuple(_split_top(layer, blob, top, i) for i in range(count))
    param = caffe_pb2.LayerParameter(name=name, type="Split", bottom=[blob], top=tops)
    if weight:
        param.loss_weight.extend([weight, *[0.0] * (count - 1)])
    return replace(
        layer, name=name, type="Split", bottoms=(blob,), tops=tops, param=param, params=(), added=True
    )


def _split_top(layer: LayerDefinition, blob: str, top: int, number: int) -> str:
    return f"{blob}_{layer.name}_{top}_split_{number}"
