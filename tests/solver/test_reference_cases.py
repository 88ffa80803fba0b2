"""Twelve iterations of the original program: its losses, parameters and history."""

import json
from pathlib import Path

import pytest

from deeplab_caffe.formats.caffemodel import read_caffemodel
from deeplab_caffe.formats.solverstate import read_solverstate
from deeplab_caffe.solver import Solver, read_settings
from deeplab_caffe.validate.comparing import Measure
from deeplab_caffe.validate.diagnosis.diagnose import diagnose
from deeplab_caffe.validate.request import Request
from deeplab_caffe.validate.validation import validate

TRAINING = Path(__file__).parents[2] / "../shared/reference/training"
CASES = json.loads((TRAINING / "expected.json").read_text()) if TRAINING.exists() else {}
pytestmark = pytest.mark.skipif(not CASES, reason="needs the reference files")


@pytest.fixture(params=CASES)
def case(request, tmp_path, monkeypatch):
    """The working directory with the case's files; its name."""
    for path in TRAINING.iterdir():
        (tmp_path / path.name).symlink_to(path.resolve())
    monkeypatch.chdir(tmp_path)
    return request.param


def six_digits(value):
    return float(f"{value:.6g}")


def distance(ours, theirs):
    """The largest difference relative to a blob's largest value."""
    assert len(ours) == len(theirs)
    return max(
        ((a.reshape(b.shape) - b).abs().max() / b.abs().max()).item()
        for a, b in zip(ours, theirs, strict=True)
    )


def blobs(path):
    return [blob for layer in read_caffemodel(path) for blob in layer.blobs]


def check(case, solver, until):
    """The solver's next iterations against the original's, and its parameters where those are stored."""
    expected = CASES[case]
    while solver.iteration < until:
        step = solver.step()
        assert six_digits(step.loss) == expected["losses"][step.iteration], step.iteration
        assert six_digits(step.rate) == expected["lr"][step.iteration]
    stored = blobs(f"expected_{case}_iter_{until}.caffemodel")
    ours = [found.tensor.detach() for found in solver.learnables]
    # Closer than the original comes to itself with other kernels of its BLAS.
    assert distance(ours, stored) <= expected["parameter_sensitivity"]


def check_by_validate(case, solver):
    """A snapshot of ours against the original's."""
    model = "train_v1.prototxt" if case.startswith("v1") else "train_v2.prototxt"
    solver.net.save("ours.caffemodel")
    request = Request(
        model,
        "ours.caffemodel",
        [f"expected_{case}_iter_{solver.iteration}.caffemodel"],
        measure=Measure(tolerance=CASES[case]["parameter_sensitivity"]),
        phase="train",
    )
    result = validate(request.job(), request.environment("a test"), diagnose)
    assert result.equal and {c.kind for c in result.comparisons} == {"parameter"}, result.headline
    assert not result.unpaired_theirs


@pytest.mark.slow
def test_from_the_start(case):
    solver = Solver(read_settings(f"solver_{case}.prototxt"), threads=1)
    solver.load(["init.caffemodel"])
    check(case, solver, 4)
    check_by_validate(case, solver)
    state, theirs = read_solverstate(solver.save()), read_solverstate(f"expected_{case}_iter_4.solverstate")
    assert (state.iteration, state.current_step) == (4, theirs.current_step)
    assert state.learned_net == theirs.learned_net
    assert [blob.shape for blob in state.history] == [blob.shape for blob in theirs.history]
    assert distance(state.history, theirs.history) <= 1e-6
    check(case, solver, 12)
    check_by_validate(case, solver)
    assert six_digits(solver.look().loss) == CASES[case]["losses"][12]


def test_from_the_originals_snapshot(case):
    solver = Solver(read_settings(f"solver_{case}.prototxt"), threads=1)
    solver.restore(f"expected_{case}_iter_4.solverstate")
    assert solver.iteration == 4
    check(case, solver, 12)
