import pytest

from deeplab_caffe.solver import Solver, read_settings
from tests.training import NET, write_training

SOLVER = {
    "net": '"net.prototxt"',
    "base_lr": "0.01",
    "lr_policy": '"step"',
    "gamma": "0.5",
    "stepsize": "4",
    "momentum": "0.9",
    "weight_decay": "0.001",
    "max_iter": "8",
    "snapshot": "3",
    "snapshot_prefix": '"out/tiny"',
    "display": "2",
    "average_loss": "3",
    "random_seed": "5",
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working directory, with a tiny net (`net.prototxt`) and its data."""
    write_training(tmp_path, NET.replace("batch_size: 2", "batch_size: 2 shuffle: true"), "")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def write_solver(folder):
    """write_solver(momentum="0.5", test_iter=None): a solver.prototxt with fields changed or left out."""

    def write(**fields):
        lines = [f"{name}: {value}" for name, value in (SOLVER | fields).items() if value is not None]
        (folder / "solver.prototxt").write_text("\n".join(lines) + "\n")
        return folder / "solver.prototxt"

    return write


@pytest.fixture
def make_solver(write_solver):
    """make_solver(momentum="0.5"): the Solver of such a file, with one thread."""
    return lambda **fields: Solver(read_settings(write_solver(**fields)), threads=1)
