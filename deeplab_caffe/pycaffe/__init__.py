"""The interface of pycaffe, Caffe's Python package: `import deeplab_caffe.pycaffe as caffe`.

Code that imports `caffe` and cannot be edited: `install()` before it, or
`python -m deeplab_caffe.pycaffe script.py`.
"""

import importlib
import importlib.util
from pathlib import Path

from ..stand_in import StandIn
from ._caffe import (
    NCCL,
    AdaDeltaSolver,
    AdaGradSolver,
    AdamSolver,
    Layer,
    NesterovSolver,
    Net,
    RMSPropSolver,
    SGDSolver,
    Timer,
    __version__,
    get_solver,
    has_nccl,
    init_log,
    layer_type_list,
    log,
    set_device,
    set_mode_cpu,
    set_mode_gpu,
    set_multiprocess,
    set_random_seed,
    set_solver_count,
    set_solver_rank,
    solver_count,
    solver_rank,
)
from .proto import caffe_pb2

TRAIN, TEST = caffe_pb2.TRAIN, caffe_pb2.TEST

__all__ = [
    "NCCL",
    "TEST",
    "TRAIN",
    "AdaDeltaSolver",
    "AdaGradSolver",
    "AdamSolver",
    "Layer",
    "NesterovSolver",
    "Net",
    "RMSPropSolver",
    "SGDSolver",
    "Timer",
    "__version__",
    "get_solver",
    "has_nccl",
    "init_log",
    "install",
    "layer_type_list",
    "log",
    "set_device",
    "set_mode_cpu",
    "set_mode_gpu",
    "set_multiprocess",
    "set_random_seed",
    "set_solver_count",
    "set_solver_rank",
    "solver_count",
    "solver_rank",
]

STAND_IN = StandIn("caffe", __name__, Path(__file__).resolve().with_name("top-level"))
# Of each module the names that `caffe` has itself.
_NAMES = {
    "io": (),
    "net_spec": ("layers", "params", "NetSpec", "to_proto"),
    "classifier": ("Classifier",),
    "detector": ("Detector",),
    "draw": (),
    "coord_map": (),
}
_SUBMODULES = [name for name in _NAMES if importlib.util.find_spec(f"{__name__}.{name}")]
for _module in _SUBMODULES:
    for _name in _NAMES[_module]:
        globals()[_name] = getattr(importlib.import_module(f"{__name__}.{_module}"), _name)


def install() -> None:
    """From now on `import caffe` gives this package, also where Caffe is installed.

    Its submodules likewise, also in processes that multiprocessing starts. Raises DeepLabError if another
    caffe was imported before.
    """
    STAND_IN.install(["proto", "_caffe", "pycaffe", *_SUBMODULES], {"proto.caffe_pb2": caffe_pb2})
