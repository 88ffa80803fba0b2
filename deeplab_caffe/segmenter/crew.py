"""Several images at a time through one net: copies of a segmenter, which share its weights."""

import copy
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ..engine.net import Net
from ..threads import thread_count
from ..threads.room import Room
from ..types import Pair
from .segmenter import Segmenter

# Where only one image at a time can be in the net: that one, one being read and one being written.
_AROUND_ONE = 3
# So many threads a net keeps busy by itself: two images at a time took 1.09 of the processor time there.
_BUSY = 2
_FLOAT = 4
# Floats of each pixel and label besides the net's blobs: scores, energies, marginals and the CRF's own.
_OF_SCORES = 6


class Crew:
    """As many segmenters as there are images in the works, with the weights of one.

    at_once: how many images at a time keep `threads` CPU threads busy; to be worked at with
    `threads.side_by_side`, told `shared`. On a GPU, and where weights are streamed, only one is in the net
    while others are read and written. It is 1, and so in order, where one image's results could depend on
    those before it: layers with memory, data layers beside the input, the phase TRAIN. only_net: the net is
    all that takes long (no CRF); on few threads it is 1 then, too.
    """

    def __init__(self, segmenter: Segmenter, images: int, only_net: bool = False) -> None:
        self.segmenter = segmenter
        self.threads = segmenter.net.context.threads
        one_net = segmenter.net.streamed or segmenter.net.device.type != "cpu"
        self.shared = not one_net
        self.at_once = 1
        if segmenter.net.independent and images > 1:
            threads = thread_count(self.threads)
            if one_net:
                self.at_once = _AROUND_ONE
            elif not only_net or threads > _BUSY:
                self.at_once = min(threads, images)
        self._copies = self.shared and self.at_once > 1
        self._idle = [] if self._copies else [segmenter]
        self._changed = threading.Condition()
        self._room = Room()
        self._per_pixel = _bytes_per_pixel(segmenter)

    @contextmanager
    def one(self, size: Pair) -> Iterator[Segmenter]:
        """A segmenter for an image of (height, width) that nobody else has meanwhile.

        Waits while images in the works leave too little memory for it. A copy that has worked on a large
        image is given up, and its memory.
        """
        needed = self._per_pixel * size[0] * size[1]
        is_large = needed > self._room.limit / self.at_once
        with self._room.take(needed):
            segmenter = self._take()
            try:
                yield segmenter
            finally:
                if not (self._copies and is_large):
                    with self._changed:
                        self._idle.append(segmenter)
                        self._changed.notify()

    def _take(self) -> Segmenter:
        with self._changed:
            if self._copies and not self._idle:
                return self._copy()
            while not self._idle:
                self._changed.wait()
            return self._idle.pop()

    def _copy(self) -> Segmenter:
        other = copy.copy(self.segmenter)
        other.net = self.segmenter.net.sharing(threads=None)
        return other


def _bytes_per_pixel(segmenter: Segmenter) -> float:
    """About what an image takes, from the net's own size: blobs, and the maps behind them."""
    net: Net = segmenter.net
    shape = net.inputs[segmenter.input]
    blobs = net.blob_memory / (shape[2] * shape[3]) * max(1.0, *segmenter.scales) ** 2
    labels = segmenter.shape(segmenter.output, (shape[2], shape[3]))[1]
    return blobs + _FLOAT * _OF_SCORES * labels
