import torch


def test_against_float64(against_float64):
    against_float64("ELU", lambda x: torch.nn.functional.elu(x, 0.5), "elu_param { alpha: 0.5 }")
