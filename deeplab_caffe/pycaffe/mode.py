"""What `caffe` is set to for the whole process: CPU or GPU, the seed, solvers that work together."""

from dataclasses import dataclass

import torch

from .glog import warning


@dataclass
class _State:
    gpu: bool = False
    device: int = 0
    warned: bool = False
    seed: int = 0
    nets: int = 0
    solver_count: int = 1
    solver_rank: int = 0
    multiprocess: bool = False


_state = _State()


def set_mode_cpu() -> None:
    """Nets that are made from now on compute on the CPU."""
    _state.gpu = False


def set_mode_gpu() -> None:
    """Nets that are made from now on compute on the GPU; a warning where there is none, and the CPU."""
    _state.gpu = torch.cuda.is_available()
    if not (_state.gpu or _state.warned):
        _state.warned = True
        warning("set_mode_gpu: there is no GPU here, the CPU computes")


def set_device(device: int) -> None:
    """The GPU that counts in GPU mode, by its number."""
    _state.device = int(device)


def device() -> str:
    """Where nets that are made now compute, as torch says it."""
    return f"cuda:{_state.device}" if _state.gpu else "cpu"


def place_of(device: torch.device) -> torch.device:
    """Where the blobs of a net that computes on `device` are (tests pretend)."""
    return device


def set_random_seed(seed: int) -> None:
    """What the fillers and Dropout of the nets made from now on depend on, and on nothing else."""
    _state.seed, _state.nets = int(seed) & 0xFFFFFFFF, 0


def next_seed() -> int:
    """A seed for one more net: another for each."""
    _state.nets += 1
    return _state.seed + _state.nets - 1


def solver_count() -> int:
    """How many solvers train together."""
    return _state.solver_count


def set_solver_count(count: int) -> None:
    """Says how many."""
    _state.solver_count = int(count)


def solver_rank() -> int:
    """This process's number among them; the first one, 0, writes snapshots and tests."""
    return _state.solver_rank


def set_solver_rank(rank: int) -> None:
    """Says which."""
    _state.solver_rank = int(rank)


def set_multiprocess(multiprocess: bool) -> None:
    """Whether each of them is a process."""
    _state.multiprocess = bool(multiprocess)


def has_nccl() -> bool:
    """False: solvers of several processes are the verb train's, started by torchrun."""
    return False


class NCCL:
    """As where Caffe is built without NCCL: can be made, and does nothing."""

    def __init__(self, solver: object, uid: str) -> None:
        pass
