"""Inference as a CUDA graph has the bits of the CPU."""

import pytest
import torch

from deeplab_caffe import crf
from deeplab_caffe.crf.captured import CapturedCRF
from deeplab_caffe.errors import DeepLabError
from tests.crf.cases import problem


def test_captured(device):
    image, unary = problem(9, 11, 5)
    expected = [crf.image_crf(image, 5).unary(energy).infer(3) for energy in (unary, unary * 0.5)]
    with device.kernels():
        captured = CapturedCRF(crf.image_crf(image, 5, device="cuda"), 3)
        for energy, wanted in zip((unary, unary * 0.5), expected, strict=True):
            result = captured(device.to(torch.from_numpy(energy)))
            assert torch.equal(result.cpu(), torch.from_numpy(wanted))
        with pytest.raises(DeepLabError, match="point 0 has the energies nan"):
            captured(device.to(torch.full((9, 11, 5), float("nan"))))
        with pytest.raises(DeepLabError, match=r"\(9, 11, 4\) energies"):
            captured(device.to(torch.zeros(9, 11, 4)))
    with pytest.raises(DeepLabError, match="needs a CRF on a GPU"):
        CapturedCRF(crf.image_crf(image, 5))
