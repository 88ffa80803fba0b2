"""`caffe test`: runs a net with its weights and averages its outputs."""

from ..errors import DeepLabError
from .gpus import choose
from .made_net import make_net
from .programs import Call
from .scores import Score, average

CAFFE = "caffe.cpp"


def main(call: Call) -> int:
    """Prints each run's outputs, then their means."""
    flags, log = call.flags, call.log
    iterations = flags.number("iterations")
    if iterations < 1:
        raise DeepLabError(f"--iterations={iterations}: 1 or more wanted")
    net = make_net(call, "test", choose(flags.text("gpu"), log)[0])
    log.info(CAFFE, f"Running for {iterations} iterations.")

    def each(number: int, found: list[Score]) -> None:
        for score in found:
            log.info(CAFFE, f"Batch {number}, {score.name} = {score.value:.6g}")

    means = average(net, iterations, each)
    if means is not None:
        log.info(CAFFE, f"Loss: {means.loss:.6g}")
        for score in means.scores:
            log.info(CAFFE, str(score))
    return 0
