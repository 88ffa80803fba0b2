"""A process that dies while it writes a snapshot leaves the older one, or the whole new one."""

import os
import signal

import pytest

from deeplab_caffe.formats import blob, caffemodel, files, solverstate
from deeplab_caffe.solver import snapshot


def dies_at(call, solver):
    """Lets a child save a snapshot and be killed at the given of its writes, syncs and renames."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        return os.WIFSIGNALED(status)
    left = [call]

    def count(function):
        def counted(*arguments):
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments)

        return counted

    def write_pieces(file, pieces):
        for piece in pieces:
            tick()
            blob.write_pieces(file, [piece])
            file.flush()

    tick = count(lambda: None)
    caffemodel.write_pieces = solverstate.write_pieces = write_pieces
    files.os.replace, files.os.fsync = count(os.replace), count(os.fsync)
    solver.save()
    os._exit(0)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_while_saving(make_solver, folder):
    solver = make_solver()
    solver.step()
    solver.save()
    solver.step()
    found = set()
    for call in range(1000):
        if not dies_at(call, solver):
            break
        state = snapshot.newest("out/tiny")
        again = make_solver()
        again.restore(state)
        found.add(again.iteration)
        # Every file under a final name is whole, the caffemodel that has no state yet included.
        for path in (folder / "out").glob("[!.]*"):
            reader = (
                solverstate.read_solverstate if path.suffix == ".solverstate" else caffemodel.read_caffemodel
            )
            reader(path)
        for path in (folder / "out").glob("tiny_iter_2.*"):
            path.unlink()
    else:
        raise AssertionError("never came to an end")
    assert call > 20 and found == {1, 2}
    assert snapshot.newest("out/tiny") == "out/tiny_iter_2.solverstate"


def test_newest(tmp_path):
    assert snapshot.newest(str(tmp_path / "none" / "x")) is None
    for name in (
        "x_iter_9.solverstate",
        "x_iter_10.solverstate",
        "y_iter_11.solverstate",
        "x_iter_12.caffemodel",
    ):
        (tmp_path / name).write_text("")
    assert snapshot.newest(str(tmp_path / "x")) == str(tmp_path / "x_iter_10.solverstate")
    assert snapshot.newest(str(tmp_path / "z")) is None
