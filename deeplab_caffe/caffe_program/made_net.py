"""The net that the flags --model, --weights, --level and --stage ask for."""

import warnings

from ..engine.net import Net
from ..errors import DeepLabError, DeepLabWarning
from .net_lines import tell_net, tell_weights
from .programs import Call


def make_net(call: Call, phase: str, device: str = "cpu", needs_weights: bool = True) -> Net:
    """The net, its weights loaded, as the log then tells. Raises DeepLabError where a flag is missing."""
    flags, log = call.flags, call.log
    model, weights = flags.text("model"), flags.text("weights")
    if not model:
        raise DeepLabError("--model: missing, a net's prototxt wanted")
    if needs_weights and not weights:
        raise DeepLabError("--weights: missing, a caffemodel wanted")
    stages = [stage for stage in flags.text("stage").split(",") if stage]
    net = Net(model, phase=phase, level=flags.number("level"), stages=stages, device=device)
    tell_net(net, log)
    for file in filter(None, weights.split(",")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeepLabWarning)  # tell_weights says it
            tell_weights(net.load(file), log)
    return net
