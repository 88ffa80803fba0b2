import pytest
import torch

import deeplab_caffe.pycaffe as caffe
from deeplab_caffe.pycaffe import mode


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there")
def test_no_gpu(capfd, monkeypatch):
    monkeypatch.setattr(mode, "_state", mode._State())
    caffe.set_device(0)
    caffe.set_mode_gpu()
    caffe.set_mode_gpu()
    assert capfd.readouterr().err.count("there is no GPU here, the CPU computes") == 1
    assert mode.device() == "cpu"


def test_solvers_together(monkeypatch):
    monkeypatch.setattr(mode, "_state", mode._State())
    assert (caffe.solver_count(), caffe.solver_rank(), caffe.has_nccl()) == (1, 0, False)
    caffe.set_solver_count(2)
    caffe.set_solver_rank(1)
    caffe.set_multiprocess(True)
    assert (caffe.solver_count(), caffe.solver_rank()) == (2, 1)


def test_layer_types():
    assert {"Convolution", "InnerProduct", "Python", "Data"} <= set(caffe.layer_type_list())
