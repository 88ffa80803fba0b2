"""What Caffe's programs say of a net: how it is made, what becomes of weights."""

from math import prod

from google.protobuf import text_format

from ..engine.net import Net
from ..engine.weights import WeightReport
from ..formats import caffe_pb2
from .glog import Log
from .scores import MOST

_FLOAT = 4
NET = "net.cpp"


def tell_net(net: Net, log: Log) -> None:
    """The net's parameters, its layers with the shapes of their tops, its outputs."""
    message = caffe_pb2.NetParameter(name=net.definition.name)
    message.state.phase = caffe_pb2.TRAIN if net.phase == "train" else caffe_pb2.TEST
    for layer in net.layers:
        message.layer.add().CopyFrom(layer.definition.param)
        message.layer[-1].ClearField("blobs")
    text = text_format.MessageToString(message, as_utf8=True)
    log.info(NET, f"Initializing net from parameters: \n{text}")
    shapes, memory = net.shapes_for(), 0
    for layer in net.layers:
        definition = layer.definition
        log.info(NET, f"Creating Layer {definition.name}")
        for bottom in definition.bottoms:
            log.info(NET, f"{definition.name} <- {bottom}")
        for top in definition.tops:
            place = " (in-place)" if top in definition.bottoms else ""
            log.info(NET, f"{definition.name} -> {top}{place}")
        log.info(NET, f"Setting up {definition.name}")
        for top, weight in zip(definition.tops, layer.loss_weights, strict=True):
            shape = shapes[top]
            log.info(NET, f"Top shape: {''.join(f'{size} ' for size in shape)}({prod(shape)})")
            if weight:
                log.info(NET, f"    with loss weight {weight:g}")
            memory += _FLOAT * prod(shape)
        log.info(NET, f"Memory required for data: {memory}")
    for name in sorted(net.outputs):
        log.info(NET, f"This network produces output {name}")
        if (count := prod(shapes[name])) > MOST:
            log.warning(NET, f"output {name} has {count} values, which will not be printed")
    log.info(NET, "Network initialization done.")


def tell_weights(report: WeightReport, log: Log) -> None:
    """Which layers of a caffemodel the net lacks, and which of its own got nothing."""
    for name in report.unused:
        log.info(NET, f"Ignoring source layer {name}")
    for name in report.missing:
        log.warning(NET, f"layer {name} is not in {report.path}: it keeps its values")
