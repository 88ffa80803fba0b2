"""The interface of pycaffe, Caffe's Python package: `import deeplab_caffe.pycaffe as caffe`.

Code that imports `caffe` and cannot be edited: `install()` before it, or
`python -m deeplab_caffe.pycaffe script.py`.
"""

from pathlib import Path

from ..stand_in import StandIn
from . import io
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
from .classifier import Classifier
from .detector import Detector
from .net_spec import NetSpec, layers, params, to_proto
from .proto import caffe_pb2

TRAIN, TEST = caffe_pb2.TRAIN, caffe_pb2.TEST

__all__ = [
    "NCCL",
    "TEST",
    "TRAIN",
    "AdaDeltaSolver",
    "AdaGradSolver",
    "AdamSolver",
    "Classifier",
    "Detector",
    "Layer",
    "NesterovSolver",
    "Net",
    "NetSpec",
    "RMSPropSolver",
    "SGDSolver",
    "Timer",
    "__version__",
    "get_solver",
    "has_nccl",
    "init_log",
    "install",
    "io",
    "layer_type_list",
    "layers",
    "log",
    "params",
    "set_device",
    "set_mode_cpu",
    "set_mode_gpu",
    "set_multiprocess",
    "set_random_seed",
    "set_solver_count",
    "set_solver_rank",
    "solver_count",
    "solver_rank",
    "to_proto",
]

STAND_IN = StandIn("caffe", __name__, Path(__file__).resolve().with_name("top-level"))
_SUBMODULES = ("_caffe", "classifier", "coord_map", "detector", "draw", "io", "net_spec", "proto", "pycaffe")


def install() -> None:
    """From now on `import caffe` gives this package, also where Caffe is installed.

    Its submodules likewise, also in processes that multiprocessing starts. Raises DeepLabError if another
    caffe was imported before.
    """
    STAND_IN.install(_SUBMODULES, {"proto.caffe_pb2": caffe_pb2})
