"""What a solver says as it goes, in the lines that Caffe's scripts for logs read."""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from .glog import log
from .net import Net


class SolverLog:
    """The lines of one solver. param: its SolverParameter message."""

    def __init__(self, param: Any) -> None:
        self._losses: deque[float] = deque(maxlen=param.average_loss)

    def start(self) -> None:
        """Forgets the losses that were averaged."""
        self._losses.clear()

    def loss(self, loss: float) -> None:
        """One iteration's loss, for the mean of the last average_loss."""
        self._losses.append(loss)

    def display(self, iteration: int, net: Net | None) -> None:
        """The loss and, of a net, the outputs."""
        log(f"Iteration {iteration}, loss = {sum(self._losses) / len(self._losses):.6g}")
        if net is not None:
            values = {name: net.blobs[name].data_tensor.flatten().tolist() for name in net.outputs}
            _outputs("Train net output", net, values)

    def rate(self, iteration: int, rate: float) -> None:
        """The learning rate."""
        log(f"Iteration {iteration}, lr = {rate:.6g}")

    def test(self, iteration: int, number: int, net: Net, means: Mapping[str, Sequence[float]]) -> None:
        """A test net's mean outputs."""
        log(f"Iteration {iteration}, Testing net (#{number})")
        _outputs("Test net output", net, means)

    def snapshot(self, path: str) -> None:
        """Where the solverstate is."""
        log(f"Snapshotting solver state to {path}")

    def done(self) -> None:
        """The last line."""
        log("Optimization Done.")


def _outputs(what: str, net: Net, values: Mapping[str, Sequence[float]]) -> None:
    numbered = [(name, value) for name, own in values.items() for value in own]
    weights = net.blob_loss_weights
    for number, (name, value) in enumerate(numbered):
        weight = weights[name]
        loss = f" (* {weight:g} = {weight * value:.6g} loss)" if weight else ""
        log(f"    {what} #{number}: {name} = {value:.6g}{loss}")
