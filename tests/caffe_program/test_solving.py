import signal

import numpy as np
import pytest

from deeplab_caffe.caffe_program.flags import parse
from deeplab_caffe.caffe_program.glog import Log, flags
from deeplab_caffe.caffe_program.solving import Training, on_signals
from deeplab_caffe.solver import Solver, read_settings
from deeplab_caffe.solver.loop import Stop


@pytest.fixture
def make_training(folder):
    def make(**fields):
        text = (folder / "solver.prototxt").read_text()
        for name, value in fields.items():
            text = (
                "".join(part for part in text.split(f"{name}: ")[:1])
                + f"{name}: {value} "
                + " ".join(text.split(f"{name}: ", 1)[1].split(" ")[1:])
            )
        (folder / "solver.prototxt").write_text(text)
        solver = Solver(read_settings("solver.prototxt"), threads=1)
        return Training(solver, Log("caffe", parse(flags(), ["--logtostderr"])[0]))

    return make


def test_the_smoothed_loss_is_caffes(make_training):
    """Against the running mean over a window of losses, in float32, kept as the last `most` of them."""
    training, most = make_training(), 3
    losses = np.random.default_rng(1).random(20).astype(np.float32)
    for iteration, loss in enumerate(losses):
        training._smooth(float(loss), iteration)
        window = losses[max(0, iteration + 1 - most) : iteration + 1]
        assert training._smoothed.dtype == np.float32
        assert training._smoothed == pytest.approx(window.mean(), rel=1e-6)
        assert sorted(training._recent) == sorted(window)


def test_a_stop_during_a_test(make_training, capsys):
    training = make_training()
    net, forward = training.solver.test_nets[0], training.solver.test_nets[0].forward

    def stopping(*arguments, **named):
        training.stop.asked = training.solver.iteration == 4
        training.stop.snapshot = True
        return forward(*arguments, **named)

    net.forward = stopping
    assert not training.run() and training.solver.iteration == 4
    err = capsys.readouterr().err
    assert "Test interrupted." in err and "Optimization stopped early." in err
    # Asked for in the midst of the tests; the second one is that of the end.
    assert err.count("Snapshotting solver state to binary proto file out/tiny_iter_0.solverstate") == 1
    assert "out/tiny_iter_4.solverstate" in err


def test_effects_of_signals():
    stop, before = Stop(), signal.getsignal(signal.SIGINT)
    with on_signals(stop, "snapshot", "none"):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGHUP)
        assert not stop.asked and stop.take_snapshot() and not stop.take_snapshot()
    with on_signals(stop, "none", "stop"):
        signal.raise_signal(signal.SIGHUP)
        assert stop.asked
    assert signal.getsignal(signal.SIGINT) is before
