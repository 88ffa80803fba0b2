import torch


def test_relative_error(run_in_net, rand):
    a, b = rand(2, 3, 4, 5), rand(2, 3, 4, 5).flip(3)
    (error,) = run_in_net("RELATIVE_ERROR", a, b, v1=True)
    torch.testing.assert_close(error.view(()), (a - b).norm() / b.norm())
    assert run_in_net("RELATIVE_ERROR", a, a, v1=True)[0] == 0
