"""Ctrl-C during a long inference ends it after an iteration, and the CRF can be used again."""

import signal
import threading
import time

import numpy as np
import pytest

from deeplab_caffe.crf import DenseCRF


@pytest.mark.slow
def test_an_inference_is_interrupted() -> None:
    crf = DenseCRF(64, 64, 21, threads=2)
    crf.gaussian(3, 3)
    crf.unary(np.random.default_rng(0).random((64, 64, 21), dtype=np.float32))
    once = np.asarray(crf.infer(2)).copy()
    timer = threading.Timer(0.5, signal.raise_signal, [signal.SIGINT])
    timer.start()
    begin = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        crf.infer(1_000_000)  # a quarter of an hour
    assert time.perf_counter() - begin < 60
    timer.join()
    assert np.array_equal(np.asarray(crf.infer(2)), once)
