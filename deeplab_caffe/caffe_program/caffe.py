"""The program `caffe`: trains, tests, times and saves nets."""

import importlib

from ..layers.parts.permission import allow_python_layers
from .flags import Flag
from .programs import Call

USAGE = """a command, then its flags: caffe COMMAND --flag=value ...

  Commands:
    train           trains a net by a solver, from the start, from weights, or on from a snapshot
    test            runs a net with its weights and averages its outputs
    save            writes the weights of a net under another name, for that net's layers only
    time            times each layer of a net
    device_query    tells about the GPUs"""
FLAGS = (
    Flag("gpu", "", "GPUs to run on, '0', '0,1' or 'all'; where there is none, the CPU takes over"),
    Flag("solver", "", "train: the solver's prototxt"),
    Flag("model", "", "test, save, time: the net's prototxt"),
    Flag("phase", "", "time: TRAIN or TEST; TRAIN if empty"),
    Flag("level", 0, "the level of the net's state"),
    Flag("stage", "", "the stages of the net's state, separated by commas"),
    Flag("snapshot", "", "train: the solverstate to go on from"),
    Flag("weights", "", "caffemodels to start from or to run with, separated by commas; later ones win"),
    Flag("out_weights", "", "save: the caffemodel to write"),
    Flag("iterations", 50, "test, time: how often the net runs"),
    Flag("sigint_effect", "stop", "train: what SIGINT (Ctrl-C) does: snapshot, stop or none"),
    Flag("sighup_effect", "snapshot", "train: what SIGHUP does: snapshot, stop or none"),
    Flag("allow_python_layers", False, "let layers of type Python run the code of modules in PYTHONPATH"),
)
ARGUMENTS = (1, 1)
ACTIONS = ("device_query", "save", "test", "time", "train")


def main(call: Call) -> int:
    """Runs the action that the first argument names."""
    (action,) = call.arguments
    if action not in ACTIONS:
        known = ", ".join(ACTIONS)
        call.log.fatal("caffe.cpp", f"Unknown action: {action}; there are {known}")
    if call.flags.yes("allow_python_layers"):
        allow_python_layers()
    return importlib.import_module(f".{action}", __package__).main(call)
