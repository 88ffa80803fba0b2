"""What scripts do to train."""

import numpy as np
import pytest

TYPES = ["SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam"]


@pytest.fixture
def solver(caffe):
    return caffe.get_solver("solver.prototxt")


def test_step(solver):
    before = solver.net.params["conv1"][0].data.copy()
    solver.step(1)
    assert solver.iter == 1
    assert (solver.net.params["conv1"][0].data != before).any()


def test_loss_of_each_step(solver):
    losses = np.zeros(4)
    for it in range(4):
        solver.step(1)
        losses[it] = solver.net.blobs["loss"].data
    assert losses[-1] < losses[0]


def test_sgd_solver(caffe):
    solver = caffe.SGDSolver("solver.prototxt")
    solver.net.forward()
    solver.test_nets[0].forward()
    assert float(solver.net.blobs["loss"].data) > 0
    assert solver.test_nets[0].blobs["accuracy"].data.shape == ()


def test_test_net_follows(solver):
    solver.step(2)
    test = solver.test_nets[0]
    solver.test_nets[0].share_with(solver.net)
    assert (test.params["fc6"][0].data == solver.net.params["fc6"][0].data).all()


def test_accuracy_loop(solver):
    accuracy = 0
    for _ in range(3):
        solver.test_nets[0].forward()
        accuracy += solver.test_nets[0].blobs["accuracy"].data
    assert 0 <= accuracy / 3 <= 1
    scores = solver.test_nets[0].blobs["fc6"].data.argmax(1) == solver.test_nets[0].blobs["label"].data
    assert scores.shape == (4,)


def test_fine_tune(caffe, solver):
    solver.net.copy_from("tiny.caffemodel")
    net = caffe.Net("deploy.prototxt", "tiny.caffemodel", caffe.TEST)
    assert (solver.net.params["conv1"][0].data == net.params["conv1"][0].data).all()


def test_gradients(solver):
    solver.net.forward()
    solver.net.backward()
    diffs = {name: np.abs(blobs[0].diff).mean() for name, blobs in solver.net.params.items()}
    assert diffs["conv1"] > 0 and diffs["fc6"] > 0


def test_solve(caffe, solver):
    solver.solve()
    assert solver.iter == 4
    net = caffe.Net("deploy.prototxt", "snap_iter_4.caffemodel", caffe.TEST)
    assert (net.params["fc6"][0].data == solver.net.params["fc6"][0].data).all()


def test_snapshot_and_restore(caffe, solver):
    solver.step(2)
    solver.snapshot()
    other = caffe.get_solver("solver.prototxt")
    other.restore("snap_iter_2.solverstate")
    assert other.iter == 2
    assert (other.net.params["fc6"][0].data == solver.net.params["fc6"][0].data).all()


def test_save_best(caffe, solver):
    solver.step(1)
    solver.net.save("best.caffemodel")
    net = caffe.Net("deploy.prototxt", "best.caffemodel", caffe.TEST)
    assert (net.params["conv1"][0].data == solver.net.params["conv1"][0].data).all()


def test_step_by_hand(solver):
    before = solver.net.params["fc6"][0].data.copy()
    solver.net.clear_param_diffs()
    solver.net.forward()
    solver.net.backward()
    solver.apply_update()
    assert (solver.net.params["fc6"][0].data != before).any()


def test_callbacks(solver):
    seen = []
    solver.add_callback(lambda: seen.append("start"), lambda: seen.append("ready"))
    solver.step(2)
    assert seen == ["start", "ready"] * 2


@pytest.mark.parametrize("kind", TYPES)
def test_types(caffe, kind):
    with open("solver.prototxt") as file:
        text = file.read()
    if kind in ("AdaGrad", "RMSProp"):
        text = text.replace("momentum: 0.9", "")
    with open("typed.prototxt", "w") as file:
        file.write(text + f' type: "{kind}"')
    by_file = caffe.get_solver("typed.prototxt")
    by_name = getattr(caffe, f"{kind}Solver")("typed.prototxt")
    for solver in (by_file, by_name):
        solver.step(1)
        assert np.isfinite(solver.net.params["fc6"][0].data).all()


def test_write_a_solver(caffe):
    from caffe.proto import caffe_pb2

    s = caffe_pb2.SolverParameter()
    s.train_net = "train_val.prototxt"
    s.test_net.append("train_val.prototxt")
    s.test_iter.append(1)
    s.test_interval = 500
    s.max_iter = 3
    s.type = "SGD"
    s.base_lr = 0.01
    s.lr_policy = "fixed"
    s.display = 1
    s.snapshot_prefix = "written"
    s.solver_mode = caffe_pb2.SolverParameter.CPU
    with open("written.prototxt", "w") as file:
        file.write(str(s))
    solver = caffe.get_solver("written.prototxt")
    for _ in range(3):
        solver.step(1)
    assert solver.iter == 3


def test_compare_two_solvers(caffe):
    """BVLC's fine-tuning notebook: two nets, one with weights, side by side."""
    solvers = [
        ("pretrained", caffe.SGDSolver("solver.prototxt")),
        ("scratch", caffe.SGDSolver("solver.prototxt")),
    ]
    solvers[0][1].net.copy_from("tiny.caffemodel")
    blobs = ("loss",)
    loss = {name: np.zeros(2) for name, _ in solvers}
    for it in range(2):
        for name, s in solvers:
            s.step(1)
            (loss[name][it],) = (s.net.blobs[b].data.copy() for b in blobs)
    assert all(values.all() for values in loss.values())
