"""`upgrade_net_proto_binary`: a caffemodel of V0 or V1 in today's layout, every field of it."""

from google.protobuf.message import DecodeError

from ..errors import DeepLabError
from ..formats import caffe_pb2
from ..formats.files import read_bytes, replacing
from ..formats.upgrade import upgrade
from .flags import Flag
from .programs import Call
from .upgrading import UNREADABLE

PLACE = "upgrade_net_proto_binary.cpp"
USAGE = "upgrade_net_proto_binary OLD_NET NEW_NET"
FLAGS: tuple[Flag, ...] = ()
ARGUMENTS = (2, 2)
_MAX_FILE = 2**31 - 1  # protobuf's own limit


def main(call: Call) -> int:
    """Upgrades the net; 2: it cannot be read."""
    source, target = call.arguments
    try:
        net = caffe_pb2.NetParameter.FromString(read_bytes(source, _MAX_FILE))
        if not net.layer and not net.layers:
            raise DeepLabError(f"{source}: no layers in it")
        layers = upgrade(net, lambda index, field, text: _error(source, net, index, field, text))
    except DecodeError:
        call.log.error(PLACE, f"Failed to parse input binary file as NetParameter: {source}")
        return UNREADABLE
    except DeepLabError as error:
        call.log.error(PLACE, f"Failed to parse input binary file as NetParameter: {error}")
        return UNREADABLE
    if not net.layers:
        call.log.error(PLACE, f"File already in latest proto format: {source}")
    net.ClearField("layers")
    net.ClearField("layer")
    net.layer.extend(layer for _, layer in layers)
    with replacing(target) as file:
        file.write(net.SerializeToString())
    call.log.info(PLACE, f"Wrote upgraded NetParameter binary proto to {target}")
    return 0


def _error(source: str, net: caffe_pb2.NetParameter, index: int, field: str, text: str) -> DeepLabError:
    layer = (net.layers or net.layer)[index]
    return DeepLabError(f"{source}: layer '{layer.name}': {field}: {text}")
