import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import deeplab_caffe
from deeplab_caffe.commands import main
from deeplab_caffe.formats.caffemodel import read_caffemodel
from deeplab_caffe.formats.solverstate import read_solverstate
from deeplab_caffe.solver.snapshot import newest
from tests.training import NET, SOLVER, parameters_of, write_training


@pytest.fixture
def folder(tmp_path, monkeypatch):
    write_training(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_a_run_leaves(folder, capsys):
    assert main(["train", "--solver", "solver.prototxt", "--threads", "1"]) == 0
    names = {path.name for path in (folder / "out").iterdir()}
    snapshots = {f"tiny_iter_{n}.{kind}" for n in (3, 6, 8) for kind in ("caffemodel", "solverstate")}
    assert names == snapshots | {"tiny_log.jsonl", "tiny_loss.png", "tiny_events"}
    records = [json.loads(line) for line in (folder / "out/tiny_log.jsonl").read_text().splitlines()]
    assert [(r["iteration"], "test" in r) for r in records] == [
        (0, True),
        (0, False),
        (2, False),
        (4, True),
        (4, False),
        (6, False),
        (8, True),
        (8, False),
    ]
    assert {"loss", "accuracy"} <= records[0].keys() and len(records[0]["accuracy"]) == 3
    assert [r["lr"] for r in records if "lr" in r] == pytest.approx([0.01, 0.01, 0.005, 0.005, 0.0025])
    error = capsys.readouterr().err
    assert "starting from the fillers" in error and "snapshot: out/tiny_iter_3.solverstate" in error
    assert (folder / "out/tiny_loss.png").read_bytes()[:4] == b"\x89PNG"


def run(*arguments):
    return main(["train", "--solver", "solver.prototxt", "--threads", "1", *map(str, arguments)])


@pytest.mark.slow
def test_snapshot_and_auto(folder, capsys):
    assert run("--snapshot", "auto") == 0  # nothing there yet
    assert "starting from the fillers" in capsys.readouterr().err
    whole = parameters_of("out/tiny_iter_8.caffemodel")
    for name in ("out/tiny_iter_8.solverstate", "out/tiny_iter_8.caffemodel"):
        (folder / name).unlink()
    assert run("--snapshot", "auto") == 0
    assert "going on from out/tiny_iter_6.solverstate" in capsys.readouterr().err
    assert parameters_of("out/tiny_iter_8.caffemodel") == whole
    (folder / "net.prototxt").write_text(NET.replace('name: "score"', 'name: "other"'))
    assert run("--weights", "out/tiny_iter_3.caffemodel,out/tiny_iter_8.caffemodel") == 0
    error = capsys.readouterr().err
    assert "layer 'score' is not in the net" in error and "layer 'other' is not in out/tiny" in error
    assert "warning: out/tiny_iter_3.caffemodel, out/tiny_iter_8.caffemodel: no weights for other;" in error
    assert parameters_of("out/tiny_iter_8.caffemodel") != whole


@pytest.mark.slow
def test_ctrl_c_and_kill(folder):
    """The command in a process of its own: stopped, killed, taken up again."""
    (folder / "solver.prototxt").write_text(
        SOLVER.replace("max_iter: 8", "max_iter: 100000").replace("snapshot: 3", "snapshot: 20")
    )
    command = [sys.executable, "-m", "deeplab_caffe", "train", "-s", "solver.prototxt", "--threads", "1"]
    command += ["--snapshot", "auto"]
    path = {**os.environ, "PYTHONPATH": str(Path(deeplab_caffe.__file__).parents[1])}

    def until_snapshot(number):
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=path)
        for line in process.stderr:
            if "snapshot:" in line:
                break
        process.send_signal(number)
        rest = process.stderr.read()
        return process.wait(), rest

    code, rest = until_snapshot(signal.SIGINT)
    assert code == 130  # with a snapshot of that iteration, which may be the one that was seen
    stopped = int(re.search(r"stopped after (\d+) of 100000 iterations", rest)[1])
    assert newest("out/tiny") == f"out/tiny_iter_{stopped}.solverstate" and stopped >= 20
    assert until_snapshot(signal.SIGKILL)[0] == -signal.SIGKILL
    later = newest("out/tiny")
    assert read_solverstate(later).iteration > stopped
    assert read_caffemodel(read_solverstate(later).learned_net)


def test_errors(folder, fails):
    (folder / "empty").write_text("")
    wrong = {
        ("--snapshot", "x.solverstate"): "x.solverstate: No such file",
        ("--weights", "x.caffemodel"): "x.caffemodel: No such file",
        ("--weights", "empty"): "empty: the file is empty",
        ("--weights", "a", "--snapshot", "b"): "give it or --weights, not both",
        ("--precision", "fp64"): "precision",
        ("--set", "X"): "NAME=VALUE",
    }
    for arguments, message in wrong.items():
        assert message in fails("train", "--solver", "solver.prototxt", *arguments), arguments
    assert "none.prototxt: No such file" in fails("train", "--solver", "none.prototxt")
    (folder / "net.prototxt").write_text(NET.replace("list.txt", "lost.txt"))
    assert "lost.txt: No such file" in fails("train", "--solver", "solver.prototxt")
    (folder / "net.prototxt").write_text(NET)
    (folder / "solver.prototxt").write_text(SOLVER.replace("0.01", "1e30"))
    assert main(["train", "--solver", "solver.prototxt", "--threads", "1"]) == 2


def test_a_loss_that_is_no_number(folder, capsys):
    (folder / "solver.prototxt").write_text(
        SOLVER.replace("stepsize: 4", "stepsize: 5").replace("gamma: 0.5", "gamma: 1e38")
    )
    assert run() == 2
    error = capsys.readouterr().err.splitlines()
    assert re.match(
        r"error: iteration \d+: the loss is (nan|inf); the newest snapshot is out/tiny_iter_\d.solverstate",
        error[-1],
    )
    assert read_solverstate(newest("out/tiny")).iteration >= 3
