"""Training by Caffe's solver.prototxt."""

from .settings import Settings, read_settings
from .solver import Solver, Step, average_outputs

__all__ = ["Settings", "Solver", "Step", "average_outputs", "read_settings"]
