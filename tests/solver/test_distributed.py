import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import deeplab_caffe
from deeplab_caffe.autograd import accumulating
from deeplab_caffe.engine.execution import torch_threads
from deeplab_caffe.engine.net import Net
from deeplab_caffe.solver import Solver, read_settings
from deeplab_caffe.solver.distributed import layers_before_losses
from deeplab_caffe.solver.log import read_log
from tests.training import parameters_of

pytestmark = pytest.mark.slow

# The command, then the names of the process group's threads that it left behind, on stderr: one that still
# runs when the interpreter ends may abort the process.
RUN = """
import sys
from pathlib import Path
from deeplab_caffe.commands import main
code = main(sys.argv[1:])
names = [task.read_text().strip() for task in Path("/proc/self/task").glob("*/comm")]
sys.stderr.writelines(name for name in names if "gloo" in name)
sys.exit(code)
"""


def together(folder, count, *arguments):
    """Runs the command in `count` processes, found as those of torchrun; what they say on stderr."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    shared["PYTHONPATH"] = str(Path(deeplab_caffe.__file__).parents[1])
    command = [sys.executable, "-c", RUN, *arguments]
    processes = [
        subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(count)
    ]
    said = [process.communicate(timeout=300)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * count, said
    return said


def by_hand(settings, iterations):
    """What two processes compute, in one: each net's passes, then the mean of both gradients."""
    solver = Solver(settings, threads=1)
    nets = [Net(settings.train_net, phase="train", seed=5, rank=r, ranks=2, threads=1) for r in range(2)]
    losses = []
    for iteration in range(iterations):
        sums, results = [], []
        for net in nets:
            net.share(solver.net)
            for found in solver.learnables:
                found.tensor.grad = torch.zeros_like(found.tensor)
            for _ in range(2):
                results.append(net.forward_train().loss)
                with accumulating():
                    results[-1].backward()
            sums.append([found.tensor.grad for found in solver.learnables])
        for found, one, two in zip(solver.learnables, *sums, strict=True):
            found.tensor.grad = one / 2 + two / 2
        solver.updater.update(list(solver.trained.values()), solver.rate.at(iteration), iteration)
        losses.append(sum(results).item() / 4)
    return solver, losses


def test_two_processes_have_the_mean_of_their_gradients(folder, write_solver):
    settings = write_solver(iter_size="2")
    said = together(folder, 2, "train", "--solver", str(settings), "--threads", "1")
    assert "snapshot: out/tiny_iter_8.solverstate" in said[0] and "gloo" not in said[0] and said[1] == ""
    with torch_threads(1):
        solver, losses = by_hand(read_settings(settings), 8)
    ours = [found.tensor.detach().numpy().tobytes() for found in solver.learnables]
    assert parameters_of(folder / "out/tiny_iter_8.caffemodel") == ours
    records = [record for record in read_log(folder / "out/tiny_log.jsonl") if record["iteration"] < 8]
    assert [f"{record['loss']:.5g}" for record in records] == [f"{loss:.5g}" for loss in losses[::2]]
    assert len(records) == 4


def test_layers_that_no_loss_needs(make_solver, folder):
    side = """layer { name: "side" type: "Convolution" bottom: "data" top: "side"
      convolution_param { num_output: 1 kernel_size: 1 } }
    """
    text = (folder / "net.prototxt").read_text()
    (folder / "net.prototxt").write_text(text.replace('layer { name: "loss"', side + 'layer { name: "loss"'))
    solver = make_solver()
    assert layers_before_losses(solver.net.layers) == {"data", "conv", "relu", "drop", "score", "loss"}
    before = solver.net.params["side"][0].values().clone()
    solver.step()
    # Without a gradient the weights decay, as in Caffe.
    assert solver.net.params["side"][0].values().abs().sum() <= before.abs().sum()
