import torch


def test_split(run_in_net, rand):
    x = rand(2, 3, 4)
    assert all(torch.equal(top, x) for top in run_in_net("Split", x, tops=3))
