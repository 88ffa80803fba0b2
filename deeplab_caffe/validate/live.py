"""Theirs from another net that runs beside ours, layer by layer, so that no blob has to be kept."""

import threading
from functools import partial
from queue import Queue
from typing import Any

import numpy as np
from torch import Tensor

from ..engine.net import Net
from ..layers import Layer
from ..types import Floats
from .pairing import blobs_of
from .theirs import Catalog, Theirs, mangled

Key = tuple[int, str]  # a layer's index and a blob


class NotComputedError(Exception):
    """The other net never has that blob: its precision computes several layers in one pass."""


class _StopError(Exception):
    """Ends a forward whose remaining blobs nobody wants."""


class LiveNet:
    """Another net as a catalog. Its forward is a thread that stands still between two blobs that are taken.

    Blobs are best taken in that net's order; one that is passed over is kept until it is taken.
    """

    def __init__(self, net: Net, name: str) -> None:
        self.net, self.name = net, name
        self.catalog = Catalog(of_every_pass=True)
        self._keys: dict[Theirs, Key] = {}
        for one in blobs_of(net):
            key = one.index, one.blob
            names = (mangled(one.layer, one.blob), *([mangled(one.blob)] if one.last else []))
            where = f"{name}: {one.layer or 'input'}, {one.blob}"
            item = Theirs(where, names, "blob", "", one.shape, partial(self._take, key))
            self.catalog.add(item)
            self._keys[item] = key
        self._thread: threading.Thread | None = None

    def begin(self, inputs: dict[str, Floats]) -> None:
        """A new forward for these inputs of ours; a net with a single input takes ours by any name."""
        self.end()
        if len(inputs) == 1 and len(self.net.inputs) == 1:
            inputs = dict(zip(self.net.inputs, inputs.values(), strict=True))
        self._inputs = {name: array for name, array in inputs.items() if name in self.net.inputs}
        self._wanted = {self._keys[item] for item in self.catalog.taken}
        self._parked: dict[Key, Floats] = {}
        self._requests: Queue[Key | None] = Queue()
        self._answers: Queue[Floats | BaseException] = Queue()
        self._thread = threading.Thread(target=self._run, name="theirs", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Ends the forward, wherever it is."""
        if self._thread is not None:
            self._requests.put(None)
            self._thread.join()
            self._thread = None

    def _take(self, key: Key) -> Floats:
        """The values of a blob, valid until the next call. NotComputedError: there will be none."""
        if key[0] < 0 and key[1] in self._inputs:
            return self._inputs[key[1]]
        if key in self._parked:
            return self._parked.pop(key)
        self._requests.put(key)
        answer = self._answers.get()
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def _run(self) -> None:
        try:
            request = self._requests.get()

            def on_layer(index: int, layer: Layer, tops: dict[str, Tensor]) -> None:
                nonlocal request
                arrays = {(index, blob): partial(_plain, tensor) for blob, tensor in tops.items()}
                while request is not None and (request in arrays or request[0] <= index):
                    self._answers.put(arrays.pop(request)() if request in arrays else self._missing(request))
                    request = self._requests.get()
                if request is None:
                    raise _StopError
                self._parked.update(
                    {key: read().copy() for key, read in arrays.items() if key in self._wanted}
                )

            if request is not None:
                self.net.forward(on_layer=on_layer, **self._inputs)
                while request is not None:
                    self._answers.put(self._missing(request))
                    request = self._requests.get()
        except _StopError:
            pass
        except BaseException as error:  # told where the blob is asked for
            while request is not None:
                self._answers.put(error)
                request = self._requests.get()

    def _missing(self, key: Key) -> Any:
        if key in self._parked:
            return self._parked.pop(key)
        return NotComputedError()


def _plain(tensor: Tensor) -> Floats:
    return np.ascontiguousarray(tensor.detach().float().cpu().numpy())
