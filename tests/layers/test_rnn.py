"""RNN against loops of its definition."""

import torch

from tests.layers.test_lstm import D, N, T, given, net_of


def loop(x, cont, blobs, h, static=None):
    weights, bias, *of_static, own, out, out_bias = (blob.values().double() for blob in blobs)
    outputs = torch.zeros(T, N, D, dtype=torch.float64)
    h = h.double().clone()
    for t in range(T):
        for n in range(N):
            total = weights @ x[t, n].double().flatten() + bias + own @ (h[n] * cont[t, n])
            if static is not None:
                total = total + of_static[0] @ static[n].double()
            h[n] = torch.tanh(total)
            outputs[t, n] = torch.tanh(out @ h[n] + out_bias)
    return outputs, h


def test_values(tmp_path, rand):
    net = net_of(tmp_path, kind="RNN")
    assert [blob.shape for blob in net.params["lstm"]] == [(2, 4), (2,), (2, 2), (2, 2), (2,)]
    (x, cont), h = given(rand), torch.zeros(N, D)
    for _ in range(2):
        wanted, h = loop(x, cont, net.params["lstm"], h)
        torch.testing.assert_close(net(x=x, cont=cont).double(), wanted, rtol=1e-5, atol=1e-6)


def test_a_static_input_and_an_exposed_state(tmp_path, rand):
    shapes = {"s": (N, 3), "h0": (1, N, D)}
    net = net_of(tmp_path, 'bottom: "s" bottom: "h0"', 'top: "hT"', "expose_hidden: true", shapes, kind="RNN")
    (x, cont), s, h = given(rand), rand(N, 3), rand(1, N, D)
    tops = net.forward(x=x, cont=cont, s=s, h0=h)
    wanted, last = loop(x, cont, net.params["lstm"], h[0], s)
    torch.testing.assert_close(tops["h"].double(), wanted, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(tops["hT"][0].double(), last, rtol=1e-5, atol=1e-6)
