import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.caffemodel import read_caffemodel
from deeplab_caffe.formats.solverstate import read_solverstate, write_solverstate
from deeplab_caffe.solver import Solver, read_settings
from deeplab_caffe.solver.snapshot import newest

TYPES = ["SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam"]


def parameters(solver):
    return [found.tensor.detach().numpy().tobytes() for found in solver.learnables]


def steps(solver, count):
    return [solver.step().loss for _ in range(count)]


@pytest.mark.parametrize("kind", TYPES)
def test_going_on_gives_the_bits_of_the_uninterrupted_run(make_solver, kind):
    """Dropout, shuffled data and iter_size included."""
    fields = {"type": f'"{kind}"', "iter_size": "2", "clip_gradients": "0.5", "max_iter": "9"}
    if kind in ("AdaGrad", "RMSProp"):
        fields["momentum"] = None
    whole = make_solver(**fields)
    losses = steps(whole, 3)
    state = whole.save()
    losses += steps(whole, 4)
    again = make_solver(**fields)
    again.restore(state)
    assert again.iteration == 3
    assert steps(again, 4) == losses[3:]
    assert parameters(again) == parameters(whole)
    assert len(set(losses)) == 7
    blobs = read_solverstate(state).history
    assert len(blobs) == (8 if kind in ("AdaDelta", "Adam") else 4)
    assert all(blob.any() for blob in blobs)


def test_a_snapshot_is_caffes(make_solver):
    solver = make_solver()
    steps(solver, 5)
    path = solver.save()
    assert path == "out/tiny_iter_5.solverstate"
    state = read_solverstate(path)
    assert (state.iteration, state.learned_net, state.current_step) == (5, "out/tiny_iter_5.caffemodel", 1)
    shapes = [tuple(blob.shape) for blob in state.history]
    assert shapes == [(4, 2, 3, 3), (4,), (3, 4, 1, 1), (3,)]
    layers = {layer.name: layer for layer in read_caffemodel(state.learned_net)}
    assert [b.numpy().tobytes() for n in ("conv", "score") for b in layers[n].blobs] == parameters(solver)
    assert layers["drop"].type == "Dropout"


def test_v1_nets_have_v1_files(make_solver, folder):
    (folder / "net.prototxt").write_text(
        """name: "old"
    layers { name: "data" type: HDF5_DATA top: "data" top: "label"
      hdf5_data_param { source: "list.txt" batch_size: 2 } }
    layers { name: "conv" type: CONVOLUTION bottom: "data" top: "conv" blobs_lr: 1 blobs_lr: 2
      weight_decay: 1 weight_decay: 0 convolution_param { num_output: 3 kernel_size: 1 } }
    layers { name: "loss" type: SOFTMAX_LOSS bottom: "conv" bottom: "label" top: "loss" }"""
    )
    solver = make_solver()
    assert [(p.lr_mult, p.decay_mult) for p in solver.trained.values()] == [(1, 1), (2, 0)]
    steps(solver, 2)
    path = solver.save()
    assert [tuple(b.shape) for b in read_solverstate(path).history] == [(3, 2, 1, 1), (1, 1, 1, 3)]
    again = make_solver()
    again.restore(path)
    assert steps(again, 2) == steps(solver, 2)


def test_a_layer_without_a_rate_stays(make_solver, folder):
    text = (folder / "net.prototxt").read_text().replace("lr_mult: 1 ", "lr_mult: 0 ")
    (folder / "net.prototxt").write_text(text)
    solver = make_solver()
    before = parameters(solver)
    steps(solver, 2)
    changed = [a != b for a, b in zip(before, parameters(solver), strict=True)]
    assert changed == [False, True, True, True]
    state = read_solverstate(solver.save())
    assert [bool(blob.any()) for blob in state.history] == changed


def test_batch_statistics_go_on_too(make_solver, folder):
    net = folder / "net.prototxt"
    norm = 'layer { name: "norm" type: "BatchNorm" bottom: "conv" top: "conv" }\nlayer { name: "relu"'
    net.write_text(net.read_text().replace('layer { name: "relu"', norm))
    whole = make_solver(test_iter="1", test_interval="2")
    steps(whole, 2)
    state = whole.save()
    steps(whole, 2)
    again = make_solver(test_iter="1", test_interval="2")
    again.restore(state)
    steps(again, 2)
    assert parameters(again) == parameters(whole)
    (one,), (two,) = whole.test(), again.test()
    assert torch.equal(one["accuracy"], two["accuracy"]) and torch.equal(one["loss"], two["loss"])


def test_tests_use_the_trained_parameters(make_solver):
    solver = make_solver(test_iter="2", test_interval="1")
    (before,) = solver.test()
    steps(solver, 4)
    (after,) = solver.test()
    assert after["loss"] != before["loss"] and after["accuracy"].shape == before["accuracy"].shape


def test_a_loss_that_is_no_number(make_solver):
    solver = make_solver(base_lr="1e30", lr_policy='"fixed"')
    before = None
    with pytest.raises(DeepLabError, match=r"^iteration \d+: the loss is (nan|inf)") as caught:
        for _ in range(20):
            before = parameters(solver)
            solver.step()
    assert f"iteration {solver.iteration}:" in str(caught.value)
    assert parameters(solver) == before


def test_snapshots_that_do_not_fit(make_solver, folder):
    solver = make_solver()
    steps(solver, 1)
    path = solver.save()

    def error(match, *, state=path, **fields):
        with pytest.raises(DeepLabError, match=match) as caught:
            make_solver(**fields).restore(state)
        assert "\n" not in str(caught.value)

    error("4 blobs of history, this net and solver have 8", type='"Adam"')
    error("No such file", state="none.solverstate")
    text = (folder / "net.prototxt").read_text()
    (folder / "net.prototxt").write_text(text.replace("num_output: 4", "num_output: 5"))
    error(r"history 0 is \(4, 2, 3, 3\), the parameter is \(5, 2, 3, 3\)")
    (folder / "net.prototxt").write_text(text.replace('"score"', '"other"'))
    error("layer 'other' is missing: a snapshot of another net")
    (folder / "net.prototxt").write_text(text)
    model = folder / "out/tiny_iter_1.caffemodel"
    model.rename(folder / "moved")
    error("its caffemodel out/tiny_iter_1.caffemodel is missing")
    (folder / "moved").rename(folder / "out/renamed.caffemodel")
    (folder / path).rename(folder / "out/renamed.solverstate")
    make_solver().restore("out/renamed.solverstate")
    state = read_solverstate("out/renamed.solverstate")
    write_solverstate("out/x.solverstate", type(state)(1, "", state.history))
    error("its caffemodel x.caffemodel is missing", state="out/x.solverstate")


def test_nets_that_cannot_be_trained(make_solver, folder):
    text = (folder / "net.prototxt").read_text()
    bare = text.replace("lr_mult: 1 ", "lr_mult: 0 ").replace("lr_mult: 2 ", "lr_mult: 0 ")
    bare = bare.replace('top: "score"\n', 'top: "score" param { lr_mult: 0 } param { lr_mult: 0 }\n')
    (folder / "net.prototxt").write_text(bare)
    with pytest.raises(DeepLabError, match="no layer before the loss learns"):
        make_solver()
    (folder / "net.prototxt").write_text(text[: text.index('layer { name: "loss"')])
    with pytest.raises(DeepLabError, match="no layer gives a loss"):
        make_solver()
    (folder / "net.prototxt").write_text(
        'input: "x" input_dim: 1 input_dim: 1 input_dim: 2 input_dim: 2\n' + text
    )
    with pytest.raises(DeepLabError, match="input x: a net to train feeds itself"):
        make_solver()


def test_out_of_memory_is_one_line(make_solver, monkeypatch):
    def fail():
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried ...\nmore")

    solver = make_solver()
    monkeypatch.setattr(solver.net, "forward_train", fail)
    with pytest.raises(DeepLabError, match="out of memory; .*DefaultCPUAllocator") as caught:
        solver.step()
    assert "\n" not in str(caught.value)


def test_hdf5_snapshots(make_solver):
    whole = make_solver(snapshot_format="HDF5")
    steps(whole, 2)
    state = whole.save()
    assert state == "out/tiny_iter_2.solverstate.h5" and newest("out/tiny") == state
    steps(whole, 2)
    again = make_solver(snapshot_format="HDF5")
    again.restore(state)
    steps(again, 2)
    assert parameters(again) == parameters(whole)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_fast_precisions_go_on_too(write_solver, precision):
    settings = read_settings(write_solver())
    whole = Solver(settings, precision=precision, threads=1)
    steps(whole, 2)
    state = whole.save()
    again = Solver(settings, precision=precision, threads=1)
    again.restore(state)
    assert steps(again, 3) == steps(whole, 3)
    assert parameters(again) == parameters(whole)
