import math

import pytest
import torch

from deeplab_caffe.errors import DeepLabError

UNIT = 'layer { name: "u" type: "LSTMUnit" bottom: "c" bottom: "x" bottom: "cont" top: "c1" top: "h1" }'


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def test_against_a_loop(run_layer, rand):
    cells, gates, cont = rand(1, 3, 4), rand(1, 3, 16) * 3, torch.tensor([[1.0, 0, 1]])
    new, hidden = run_layer(UNIT)(cells, gates, cont)
    for n in range(3):
        for d in range(4):
            i, f, o, g = (gates[0, n, d + 4 * k].item() for k in range(4))
            c = cont[0, n].item() * sigmoid(f) * cells[0, n, d].item() + sigmoid(i) * math.tanh(g)
            assert new[0, n, d].item() == pytest.approx(c, rel=1e-5, abs=1e-6)
            assert hidden[0, n, d].item() == pytest.approx(sigmoid(o) * math.tanh(c), rel=1e-5, abs=1e-6)


def test_a_beginning_forgets_even_what_is_not_finite(run_layer):
    gates = torch.zeros(1, 1, 8)
    new, _ = run_layer(UNIT)(torch.full((1, 1, 2), 7.0), gates, torch.zeros(1, 1))
    assert new.tolist() == [[[0, 0]]]


def test_gradients(run_layer, rand):
    layer = run_layer(UNIT).layer
    inputs = [x.double().requires_grad_() for x in (rand(1, 2, 3), rand(1, 2, 12))]
    cont = torch.tensor([[1.0, 0]]).double()
    assert torch.autograd.gradcheck(lambda c, x: tuple(layer.formula([c, x, cont], [])), inputs)


def test_shapes(run_layer):
    with pytest.raises(DeepLabError, match=r"\(1, N, D\), \(1, N, 4 D\), \(1, N\) wanted"):
        run_layer(UNIT).layer.shape([(1, 3, 4), (1, 3, 12), (1, 3)])
