"""`caffe save`, DeepLab's addition: the weights of a net's layers under another name."""

from ..engine.weights import save_weights
from ..errors import DeepLabError
from .made_net import make_net
from .programs import Call

CAFFE = "caffe.cpp"


def main(call: Call) -> int:
    """Loads the weights into the net and writes what it has: layers that it lacks are left out."""
    target = call.flags.text("out_weights")
    if not target:
        raise DeepLabError("--out_weights: missing, the caffemodel to write wanted")
    net = make_net(call, "train")
    call.log.info(CAFFE, f"Snapshotting to {target}")
    save_weights(target, net.layers, net.definition.dialect.value, net.definition.name, durable=True)
    return 0
