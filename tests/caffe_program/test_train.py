import os
import re
import signal
import subprocess
import sys

import pytest

from deeplab_caffe.caffe_program import train
from deeplab_caffe.formats.solverstate import read_solverstate
from deeplab_caffe.solver import Solver, read_settings
from tests.training import parameters_of

NUMBER = r"-?[\d.]+(?:e[+-]\d+)?"


def read_as_scripts_do(messages):
    """The tables that Caffe's parse_log.py makes: train and test rows of (iteration, lr, outputs)."""
    iteration, rate, rows = -1, None, {"Train": {}, "Test": {}}
    for text in messages:
        if match := re.search(r"Iteration (\d+)", text):
            iteration = int(match[1])
        if match := re.search(rf"lr = ({NUMBER})", text):
            rate = float(match[1])
        if match := re.search(rf"(Train|Test) net output #(\d+): (\S+) = ({NUMBER})", text):
            rows[match[1]].setdefault(iteration, {})[int(match[2])] = (match[3], float(match[4]))
    return rows, rate


def test_the_log_of_a_training(program):
    ran = program("caffe", "train", "--solver=solver.prototxt")
    assert ran.code == 0 and not ran.out and not ran.messages("W")
    messages = ran.messages()
    rows, rate = read_as_scripts_do(messages)
    assert list(rows["Train"]) == [0, 2, 4, 6] and list(rows["Test"]) == [0, 4, 8] and rate == 0.005
    assert [name for name, _ in rows["Test"][4].values()] == ["accuracy"] * 3 + ["loss"]
    ours = read_as_the_package_does()
    for iteration, outputs in rows["Train"].items():
        assert outputs == {0: ("loss", pytest.approx(ours["train"][iteration], rel=1e-5))}
    for iteration, outputs in rows["Test"].items():
        assert outputs[3][1] == pytest.approx(ours["test"][iteration]["loss"].item(), rel=1e-5)
        assert outputs[0][1] == pytest.approx(
            ours["test"][iteration]["accuracy"].flatten()[0].item(), rel=1e-5
        )
    loss = ours["train"][2]
    assert f"    Train net output #0: loss = {loss:.6g} (* 0.5 = {loss / 2:.6g} loss)" in messages
    wanted = [
        "Use CPU.",
        "Creating training net from net file: net.prototxt",
        "Creating Layer conv",
        "conv <- data",
        "conv -> conv",
        "Top shape: 2 4 9 9 (648)",
        "relu -> conv (in-place)",
        "    with loss weight 0.5",
        "Network initialization done.",
        "Creating test net (#0) specified by net file: net.prototxt",
        "This network produces output accuracy",
        "Solver scaffolding done.",
        "Starting Optimization",
        "Solving tiny",
        "Learning Rate Policy: step",
        "Iteration 0, Testing net (#0)",
        "Iteration 0, lr = 0.01",
        "Snapshotting to binary proto file out/tiny_iter_3.caffemodel",
        "Snapshotting solver state to binary proto file out/tiny_iter_3.solverstate",
        "Iteration 4, Testing net (#0)",
        "Iteration 4, lr = 0.005",
        "Iteration 8, Testing net (#0)",
        "Optimization Done.",
    ]
    found = iter(messages)
    assert [text for text in wanted if text not in found] == []
    assert {line[5] for line in ran.lines} == {"caffe.cpp", "net.cpp", "solver.cpp", "sgd_solver.cpp"}
    assert read_solverstate("out/tiny_iter_8.solverstate").iteration == 8
    assert open("logs/caffe.INFO").read().splitlines()[3:] == ran.err.splitlines()


def read_as_the_package_does():
    """The losses and tests of the same training, by its Solver."""
    solver = Solver(read_settings("solver.prototxt"))
    found = {"train": {}, "test": {}}
    for iteration in range(9):
        if iteration % 4 == 0:
            found["test"][iteration] = solver.test()[0]
        if iteration < 8:
            found["train"][iteration] = solver.step().outputs["loss"].item()
    return found


def test_the_loss_shown_is_the_mean_of_the_last(program):
    messages = program("caffe", "train", "--solver=solver.prototxt").messages()
    shown = {
        int(m[1]): float(m[2])
        for text in messages
        if (m := re.fullmatch(rf"Iteration (\d+), loss = ({NUMBER})", text))
    }
    losses = [0.5 * loss for loss in read_as_the_package_does()["train"].values()]
    assert list(shown) == [0, 2, 4, 6, 8]
    for iteration in (0, 2, 4, 6):
        last = losses[max(0, iteration - 2) : iteration + 1]
        assert shown[iteration] == pytest.approx(sum(last) / len(last), rel=1e-5)


def test_weights_and_snapshots(program, trained):
    whole = parameters_of(trained)
    assert (
        program("caffe", "train", "--solver=solver.prototxt", "--snapshot=out/tiny_iter_3.solverstate").code
        == 0
    )
    assert parameters_of(trained) == whole
    ran = program(
        "caffe", "train", "-solver", "solver.prototxt", "-weights", f"out/tiny_iter_3.caffemodel,{trained}"
    )
    assert "Finetuning from out/tiny_iter_3.caffemodel" in ran.messages() and ran.code == 0
    assert f"Finetuning from {trained}" in ran.messages() and parameters_of(trained) != whole
    ran = program("caffe", "train", "--solver=solver.prototxt", "--snapshot=a", "--weights=b")
    assert ran.code == 134 and ran.messages("F") == ["--snapshot and --weights: one of them wanted, not both"]
    assert program("caffe", "train").messages("F") == ["--solver: missing, a solver prototxt wanted"]


def test_layers_that_do_not_fit(program, folder, trained):
    text = (folder / "net.prototxt").read_text().replace('name: "score"', 'name: "other"')
    (folder / "net.prototxt").write_text(text)
    ran = program("caffe", "train", "--solver=solver.prototxt", f"--weights={trained}")
    assert ran.code == 0 and "Ignoring source layer score" in ran.messages()
    assert ran.messages("W") == [f"layer other is not in {trained}: it keeps its values"]


def test_stage(program):
    ran = program("caffe", "train", "--solver=solver.prototxt", "--stage=other,more")
    assert ran.code == 0 and "Creating Layer extra" in ran.messages()


def test_the_solvers_gpu(program, folder):
    text = (folder / "solver.prototxt").read_text()
    (folder / "solver.prototxt").write_text(text.replace("solver_mode: CPU", "solver_mode: GPU device_id: 1"))
    ran = program("caffe", "train", "--solver=solver.prototxt")
    assert ran.code == 0
    if "Use CPU." in ran.messages():
        assert ran.messages("W")[0].startswith("--gpu=1: going on on the CPU: ")


def test_several_gpus(program, monkeypatch):
    asked = []
    monkeypatch.setattr(train, "choose", lambda text, log: ["cuda:0", "cuda:2"])
    monkeypatch.setattr(
        train.subprocess,
        "run",
        lambda command, env, check: (asked.append((command, env)), subprocess.CompletedProcess(command, 3))[
            1
        ],
    )
    words = ("train", "--solver=solver.prototxt", "--gpu=0,2")
    assert program("caffe", *words).code == 3
    command, environment = asked[0]
    assert command[1:3] == ["-m", "torch.distributed.run"] and "--nproc-per-node=2" in command
    assert command[-4:] == ["caffe", *words] and environment["CUDA_VISIBLE_DEVICES"] == "0,2"


def started(folder, *words):
    """A training of its own that runs until a signal ends it, after its first display."""
    text = (folder / "solver.prototxt").read_text().replace("max_iter: 8", "max_iter: 1000000")
    (folder / "solver.prototxt").write_text(text.replace("snapshot: 3", "snapshot: 900000"))
    process = subprocess.Popen(
        [sys.executable, "-m", "deeplab_caffe", "caffe", "train", "--solver=solver.prototxt", *words],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"},
    )
    lines = []
    for line in process.stderr:
        lines.append(line)
        if "Iteration 2, loss" in line:
            return process, lines
    raise AssertionError("".join(lines))


@pytest.mark.slow
def test_signals_stop_and_snapshot(folder):
    process, _ = started(folder)
    process.send_signal(signal.SIGHUP)
    following = iter(process.stderr)
    assert any("Snapshotting solver state" in line for line in following)
    for _ in range(2):  # so that the second snapshot is of a later iteration
        assert any(", loss" in line for line in following)
    process.send_signal(signal.SIGINT)
    rest = process.stderr.read()
    assert process.wait() == 0 and "Optimization stopped early." in rest
    assert len(list((folder / "out").glob("*.solverstate"))) == 2


@pytest.mark.slow
def test_signals_with_other_effects(folder):
    process, _ = started(folder, "--sigint_effect=none", "--sighup_effect=stop")
    process.send_signal(signal.SIGINT)
    for _ in range(30):
        assert process.stderr.readline()
    assert process.poll() is None
    process.send_signal(signal.SIGHUP)
    assert "Optimization stopped early." in process.stderr.read() and process.wait() == 0


def test_an_effect_that_there_is_not(program):
    ran = program("caffe", "train", "--solver=solver.prototxt", "--sigint_effect=die")
    assert ran.code == 134 and ran.messages("F") == [
        "--sigint_effect=die: one of snapshot, stop, none wanted"
    ]
