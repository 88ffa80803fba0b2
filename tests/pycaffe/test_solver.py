"""The solvers as scripts use them: against the package's own, bit for bit."""

import numpy as np
import pytest

import deeplab_caffe.pycaffe as caffe
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.solver import Solver as Training
from deeplab_caffe.solver import read_settings

KINDS = ("SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam")
DATA = """layer { name: "data" type: "DummyData" top: "data" top: "label" dummy_data_param {
  shape { dim: 4 dim: 3 dim: 6 dim: 6 } shape { dim: 4 }
  data_filler { value: 0.5 } data_filler { value: 1 } } }
"""
NET = """layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param {
  num_output: 4 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "ip" type: "InnerProduct" bottom: "conv" top: "ip" param { lr_mult: 1 } param { lr_mult: 2 }
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy"
  include { phase: TEST } }
"""
SOLVER = """net: "%s" base_lr: 0.05 lr_policy: "step" gamma: 0.5 stepsize: 3 max_iter: 7 weight_decay: 0.01
iter_size: 2 display: 3 test_iter: 2 test_interval: 4 snapshot_prefix: "%s" random_seed: 3
"""


@pytest.fixture
def file(write, tmp_path):
    def file(extra="momentum: 0.9", net=DATA + NET):
        return write(SOLVER % (write(net), tmp_path / "snap") + extra, "solver.prototxt")

    return file


def weights(net):
    return b"".join(blob.data.tobytes() for blobs in net.params.values() for blob in blobs)


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("kind", KINDS)
def test_trains_as_the_package_does(file, kind):
    rest = {"AdaGrad": "", "RMSProp": "rms_decay: 0.9", "AdaDelta": "momentum: 0.95 delta: 1e-6"}
    path = file(f'type: "{kind}" {rest.get(kind, "momentum: 0.9")}')
    solver, twin = caffe.get_solver(path), Training(read_settings(path))
    assert type(solver) is getattr(caffe, f"{kind}Solver") and isinstance(solver, caffe.SGDSolver)
    solver.step(4)
    losses = [twin.step().loss for _ in range(4)]
    for name, blobs in solver.net.params.items():
        for blob, own in zip(blobs, twin.net.params[name], strict=True):
            assert blob.data.tobytes() == own.values().numpy().tobytes()
    assert solver.iter == 4 and len(set(losses)) > 1
    assert solver.net.blobs["loss"].data > 0


MORE = """layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param {
  num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "conv" }
layer { name: "scale" type: "Scale" bottom: "conv" top: "conv" scale_param { bias_term: true } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "norm" type: "LRN" bottom: "conv" top: "norm" }
layer { name: "pool" type: "Pooling" bottom: "norm" top: "pool" pooling_param { kernel_size: 3 pad: 1 } }
layer { name: "both" type: "Concat" bottom: "conv" bottom: "pool" top: "both" }
layer { name: "drop" type: "Dropout" bottom: "both" top: "both" }
layer { name: "flat" type: "Flatten" bottom: "both" top: "flat" }
layer { name: "ip" type: "InnerProduct" bottom: "flat" top: "ip"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "sigmoid" type: "Sigmoid" bottom: "ip" top: "ip" }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""


def test_layers_that_work_in_place_or_by_chance(file):
    path = file(net=DATA.replace("value: 0.5", 'type: "gaussian"') + MORE)
    solver, twin = caffe.get_solver(path), Training(read_settings(path))
    solver.step(3)
    for _ in range(3):
        loss = twin.step().loss
    for name, blobs in solver.net.params.items():
        for blob, own in zip(blobs, twin.net.params[name], strict=True):
            assert blob.data.tobytes() == own.values().numpy().tobytes(), name
    assert loss > 0


def test_the_class_says_which(file):
    first, second = caffe.AdamSolver(file()), caffe.SGDSolver(file())
    assert weights(first.net) == weights(second.net)
    first.step(1)
    second.step(1)
    assert weights(first.net) != weights(second.net)


def test_solve(file, tmp_path, capfd):
    solver = caffe.SGDSolver(file())
    assert (solver.iter, solver.param.max_iter, solver.param.display) == (0, 7, 3)
    solver.solve()
    assert solver.iter == 7
    assert {p.name for p in tmp_path.glob("snap*")} == {"snap_iter_7.caffemodel", "snap_iter_7.solverstate"}
    lines = [line.partition("] ")[2] for line in capfd.readouterr().err.splitlines()]
    assert [line for line in lines if "Testing net" in line] == [
        f"Iteration {n}, Testing net (#0)" for n in (0, 4)
    ]
    assert [line for line in lines if ", lr" in line] == [
        f"Iteration {n}, lr = {rate}" for n, rate in ((0, 0.05), (3, 0.025), (6, 0.0125))
    ]
    assert len([line for line in lines if line.startswith("Iteration 3, loss = ")]) == 1
    assert any(line.startswith("    Test net output #0: accuracy = ") for line in lines)
    assert any("Train net output #0: loss = " in line and "(* 1 = " in line for line in lines)


def test_goes_on_from_a_snapshot(file, tmp_path):
    solver = caffe.SGDSolver(file())
    solver.step(2)
    solver.snapshot()
    solver.step(3)
    other = caffe.SGDSolver(file())
    other.restore(str(tmp_path / "snap_iter_2.solverstate"))
    assert other.iter == 2
    other.step(3)
    assert weights(other.net) == weights(solver.net)
    third = caffe.SGDSolver(file())
    third.solve(str(tmp_path / "snap_iter_2.solverstate"))
    assert third.iter == 7
    with pytest.raises(RuntimeError, match="Could not open file"):
        third.restore("none.solverstate")


def test_update_by_hand(file):
    """Diffs that a script fills in itself."""
    solver = caffe.SGDSolver(file("momentum: 0.5"))
    bias = solver.net.params["ip"][1]
    held = bias.data
    for factor in 1, 1.5:  # momentum; the rate of a bias here is twice base_lr, the passes are two
        bias.diff[...] = [2, 0, -2]
        before = held.copy()
        solver.apply_update()
        np.testing.assert_allclose(before - held, bias.diff, atol=1e-7)
        np.testing.assert_allclose(bias.diff, 0.05 * np.array([2, 0, -2]) * factor, rtol=1e-2, atol=1e-6)
    assert solver.iter == 0


def test_rate(file):
    solver = caffe.SGDSolver(file())
    assert solver.lr == pytest.approx(0.05)
    solver.param.base_lr = 0.2
    assert solver.lr == pytest.approx(0.2)
    solver.step(3)
    assert solver.lr == pytest.approx(0.1)


def test_callbacks(file):
    solver, calls = caffe.SGDSolver(file()), []
    bias = solver.net.params["ip"][1]

    def gradients_ready():
        calls.append(bool(bias.diff.any()))
        bias.diff[...] = 0

    solver.add_callback(lambda: calls.append("start"), gradients_ready)
    solver.add_callback(caffe.NCCL(solver, "uid"))
    with pytest.raises(TypeError, match="on_gradients_ready wanted"):
        solver.add_callback(print)
    solver.step(2)
    assert calls == ["start", True] * 2 and not bias.data.any()


def test_test_nets_share(file):
    solver = caffe.SGDSolver(file())
    (test_net,) = solver.test_nets
    before = test_net.forward()["loss"].copy()
    solver.step(3)
    assert weights(test_net) == weights(solver.net)
    assert test_net.forward()["loss"] != before
    other = caffe.SGDSolver(file())
    solver.share_weights(other.net)
    assert weights(other.net) == weights(solver.net)


def test_fed_by_the_script(file):
    text = 'layer { name: "data" type: "Input" top: "data" top: "label" input_param {'
    text += " shape { dim: 4 dim: 3 dim: 6 dim: 6 } shape { dim: 4 } } }\n"
    solver, twin = caffe.SGDSolver(file(net=text + NET)), caffe.SGDSolver(file())
    for net in (solver.net, solver.test_nets[0]):
        net.blobs["data"].data[...], net.blobs["label"].data[...] = 0.5, 1
    solver.step(2)
    twin.step(2)
    assert weights(solver.net) == weights(twin.net)


def test_not_there(file):
    for make in caffe.SGDSolver, caffe.get_solver:
        with pytest.raises(RuntimeError, match="Could not open file none"):
            make("none")
    with pytest.raises(DeepLabError, match="unknown solver 'Magic'"):
        caffe.get_solver(file('type: "Magic"'))
