import signal

import pytest

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.solverstate import read_solverstate
from deeplab_caffe.solver.loop import Loop, Stop
from deeplab_caffe.solver.solver import LossError


class Record:
    """A loop's lines, and what it did in order, from a run of the given solver."""

    def __init__(self, solver, at=None, stop=None):
        self.lines, self.done = [], []
        self.at = at or (lambda now: None)
        step, test, save = solver.step, solver.test, solver.save

        def note(what, function):
            def noted():
                self.done.append((what, solver.iteration))
                return function()

            return noted

        solver.step, solver.test, solver.save = note("step", step), note("test", test), note("save", save)
        self.finished = Loop(solver, None, self.lines.append, self.progress).run(stop)

    def progress(self, now):
        self.last = now
        self.at(now)


def test_order_of_a_run(make_solver):
    solver = make_solver(test_iter="1", test_interval="4", max_iter="8")
    record = Record(solver)
    assert record.finished and solver.iteration == 8
    assert record.done == [
        ("test", 0),
        *(("step", i) for i in (0, 1, 2)),
        ("save", 3),
        ("step", 3),
        ("test", 4),
        *(("step", i) for i in (4, 5)),
        ("save", 6),
        *(("step", i) for i in (6, 7)),
        ("save", 8),
        ("test", 8),
    ]
    shown = [line.split(":")[0] for line in record.lines if " loss " in line and "test" not in line]
    assert shown == [f"iteration {i}" for i in (0, 2, 4, 6, 8)]
    assert record.last.iteration == 8 and record.last.seconds_left == 0


def test_switches(make_solver):
    fields = {"test_iter": "1", "test_interval": "4", "max_iter": "5", "snapshot": None, "display": None}
    record = Record(make_solver(test_initialization="false", snapshot_after_train="false", **fields))
    assert record.done == [*(("step", i) for i in range(4)), ("test", 4), ("step", 4)]
    assert all("test net" in line for line in record.lines)


def test_the_loss_shown_is_the_mean_of_the_last(make_solver):
    solver, losses, shown = make_solver(average_loss="3", max_iter="6"), [], []

    def note(now):
        losses.append(now.loss)
        shown.append(now.smoothed)

    Record(solver, note)
    means = [sum(losses[max(0, i - 2) : i + 1]) / min(3, i + 1) for i in range(6)]
    assert shown == pytest.approx(means)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_with_a_snapshot(make_solver, number):
    before = signal.getsignal(number)
    solver = make_solver(max_iter="1000", snapshot="500")
    with Stop().on_signals() as stop:
        record = Record(solver, lambda now: now.iteration == 5 and signal.raise_signal(number), stop)
    assert not record.finished and solver.iteration == 5
    assert record.done[-1] == ("save", 5)
    assert read_solverstate("out/tiny_iter_5.solverstate").iteration == 5
    assert signal.getsignal(number) is before


def test_a_second_interrupt_does_not_wait(make_solver):
    def twice(now):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    with Stop().on_signals() as stop, pytest.raises(KeyboardInterrupt):
        Record(make_solver(), twice, stop)


def test_an_error_in_the_data_ends_with_a_snapshot(make_solver, folder):
    solver = make_solver(max_iter="100", snapshot="50", random_seed="1")

    def lose(now):
        if now.iteration == 4:
            (folder / "train.h5").unlink()

    with pytest.raises(DeepLabError, match="train.h5: No such file"):
        Record(solver, lose)
    assert 4 <= solver.iteration < 50
    assert read_solverstate(f"out/tiny_iter_{solver.iteration}.solverstate").iteration == solver.iteration


def test_data_that_was_never_there_leaves_no_snapshot(make_solver, folder):
    solver = make_solver(max_iter="5")
    (folder / "train.h5").unlink()
    with pytest.raises(DeepLabError, match="train.h5: No such file"):
        Record(solver)
    assert not list(folder.glob("out/*"))


def test_a_lost_loss_leaves_no_snapshot(make_solver, folder):
    solver = make_solver(base_lr="1e30", snapshot="50")
    with pytest.raises(LossError):
        Record(solver)
    assert not list(folder.glob("out/*"))


def test_no_second_snapshot_where_nothing_was_learned(make_solver, folder):
    solver = make_solver(max_iter="3")
    Record(solver)
    again = make_solver(max_iter="3")
    again.restore("out/tiny_iter_3.solverstate")
    assert Record(again).done == []
