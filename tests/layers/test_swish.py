import torch


def test_against_float64(against_float64):
    against_float64("Swish", lambda x: x / (1 + torch.exp(-x)))
    against_float64("Swish", lambda x: x / (1 + torch.exp(-0.5 * x)), "swish_param { beta: 0.5 }")
