"""`caffe train`: trains a net by a solver.prototxt."""

import os
import subprocess
import sys

from google.protobuf import text_format

from ..errors import DeepLabError
from ..formats.prototxt import read_solver
from ..solver import Settings, Solver, read_settings
from ..solver.distributed import Peers, join
from .gpus import choose
from .net_lines import tell_net, tell_weights
from .programs import Call
from .solving import SOLVER, Training, on_signals

CAFFE = "caffe.cpp"


def main(call: Call) -> int:
    """Trains; 0 also if a signal has stopped it, as in Caffe."""
    flags, log = call.flags, call.log
    file, snapshot, weights = (flags.text(name) for name in ("solver", "snapshot", "weights"))
    if not file:
        raise DeepLabError("--solver: missing, a solver prototxt wanted")
    if snapshot and weights:
        raise DeepLabError("--snapshot and --weights: one of them wanted, not both")
    stages = [stage for stage in flags.text("stage").split(",") if stage]
    settings = read_settings(file, level=flags.number("level"), stages=stages)
    devices = choose(flags.text("gpu") or _gpu_of(file), log)
    if len(devices) > 1 and "WORLD_SIZE" not in os.environ:
        return _on_several(devices, call)
    with join(devices[0]) as (peers, device):
        log.silent = log.silent or not peers.first
        # In a function of its own: what it holds of the other processes must go before they part.
        _train(call, settings, device, peers)
    return 0


def _train(call: Call, settings: Settings, device: str, peers: Peers) -> None:
    flags, log = call.flags, call.log
    snapshot, weights = flags.text("snapshot"), flags.text("weights")
    log.info(SOLVER, f"Initializing solver from parameters: \n{text_format.MessageToString(settings.param)}")
    if ignored := [name for name in settings.ignored if name not in ("solver_mode", "device_id")]:
        log.info(SOLVER, f"Without effect here: {', '.join(ignored)}")
    log.info(SOLVER, f"Creating training net from net file: {settings.train_net.source}")
    solver = Solver(settings, device, peers=peers)
    tell_net(solver.net, log)
    for number, net in enumerate(solver.test_nets):
        source = net.definition.source
        log.info(SOLVER, f"Creating test net (#{number}) specified by net file: {source}")
        tell_net(net, log)
    log.info(SOLVER, "Solver scaffolding done.")
    if snapshot:
        log.info(CAFFE, f"Resuming from {snapshot}")
        solver.restore(snapshot)
    else:
        for model in _split([weights] if weights else settings.param.weights):
            log.info(CAFFE, f"Finetuning from {model}")
            for report in solver.load([model]):
                tell_weights(report, log)
    log.info(CAFFE, "Starting Optimization")
    training = Training(solver, log)
    with on_signals(training.stop, flags.text("sigint_effect"), flags.text("sighup_effect")):
        training.run()
    log.info(CAFFE, "Optimization Done.")


def _split(lists: list[str]) -> list[str]:
    """Names of files from lists with commas."""
    return [name.strip() for names in lists for name in names.split(",") if name.strip()]


def _gpu_of(file: str) -> str:
    """The GPU that the solver's file asks for; "" if it says nothing of the mode."""
    param = read_solver(file)
    asks = param.HasField("solver_mode") and param.solver_mode == param.GPU
    return str(param.device_id) if asks else ""


def _on_several(devices: list[str], call: Call) -> int:
    """The same command in a process for each GPU, which average their gradients."""
    numbers = ",".join(device.partition(":")[2] for device in devices)
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": numbers}
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command = [f"--nproc-per-node={len(devices)}", "-m", "deeplab_caffe", "caffe", *call.words]
    return subprocess.run([*torchrun, *command], env=environment, check=False).returncode
