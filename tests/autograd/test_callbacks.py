import torch

from deeplab_caffe.autograd import callback_function


def test_gradients_are_those_told():
    seen = []

    def backward(bottoms, tops, gradients, wanted):
        seen.append((bottoms, tops, gradients, wanted))
        return [torch.full_like(x, 7) for x in (*bottoms, weights)]

    x, fixed = torch.ones(2, requires_grad=True), torch.ones(3)
    weights = torch.ones(4, requires_grad=True)
    first, second = callback_function(lambda xs: [xs[0] * 2, xs[1] * 3], backward, [x, fixed], [weights])
    first.sum().backward()
    assert x.grad.tolist() == [7, 7] and weights.grad.tolist() == [7] * 4
    ((bottoms, tops, gradients, wanted),) = seen
    assert wanted == [True, False]
    assert [y.tolist() for y in tops] == [[2, 2], [3, 3, 3]] and len(bottoms) == 2
    assert [g.tolist() for g in gradients] == [[1, 1], [0, 0, 0]]


def test_without_gradients():
    (top,) = callback_function(lambda xs: [xs[0] + 1], None, [torch.zeros(1)], [])
    assert top.item() == 1 and not top.requires_grad
