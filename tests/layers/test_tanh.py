import torch


def test_against_float64(against_float64):
    against_float64("TanH", torch.tanh)
