"""How many CPU threads kernels get, and what Python threads that compute at the same time share."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from deeplab_caffe import Net, crf
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.threads import at_work, most_threads, thread_count

NET = """input: "x" input_dim: 1 input_dim: 3 input_dim: 20 input_dim: 20
layer { name: "c" type: "Convolution" bottom: "x" top: "c"
        convolution_param { num_output: 8 kernel_size: 3 weight_filler { type: "gaussian" std: 1 } } }
layer { name: "p" type: "Pooling" bottom: "c" top: "p" pooling_param { kernel_size: 2 stride: 2 } }"""


@pytest.fixture(autouse=True)
def eight_threads(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)


def test_default_and_share():
    assert thread_count(None) == 8 and thread_count(3) == 3
    with pytest.raises(DeepLabError, match="at most"):
        thread_count(most_threads() + 1)
    with at_work():
        assert thread_count(None) == 8
        with at_work():  # the same thread: one net inside another's layer
            assert thread_count(None) == 8
    assert thread_count(None) == 8


def test_threads_share():
    inside, done = threading.Barrier(4), threading.Barrier(4)
    counts = []

    def work():
        with at_work():
            inside.wait(20)
            counts.append((thread_count(None), thread_count(5)))
            done.wait(20)

    others = [threading.Thread(target=work) for _ in range(3)]
    for other in others:
        other.start()
    inside.wait(20)
    assert thread_count(None) == 8 // 3
    done.wait(20)
    for other in others:
        other.join()
    assert counts == [(8 // 3, 5)] * 3
    assert thread_count(None) == 8


def test_nets_and_crfs_at_once(tmp_path):
    """Eight at once: the bits of one alone."""
    model = tmp_path / "net.prototxt"
    model.write_text(NET)
    net = Net(model, seed=1)
    x = torch.randn(1, 3, 20, 20, generator=torch.Generator().manual_seed(0))
    expected = net.forward(x=x)["p"]
    unary = np.random.default_rng(0).random((30, 40, 5), np.float32)
    image = np.random.default_rng(1).integers(0, 256, (30, 40, 3), np.uint8)

    def marginals():
        return crf.DenseCRF(30, 40, 5).unary(unary).bilateral(image, 20, 30, 3).infer(3)

    alone = marginals()
    nets = [Net(model, seed=1) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda one: (one.forward(x=x)["p"], marginals()), nets))
    assert all(torch.equal(scores, expected) and np.array_equal(q, alone) for scores, q in results)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_forked_child_has_its_own():
    inside, done = threading.Event(), threading.Event()

    def work():
        with at_work():
            inside.set()
            done.wait(20)

    other = threading.Thread(target=work)
    other.start()
    inside.wait(20)
    with at_work():
        assert thread_count(None) == 4
        if (child := os.fork()) == 0:
            os._exit(thread_count(None))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 8
    done.set()
    other.join()
