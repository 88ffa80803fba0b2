"""LSTM against loops of its definition."""

import pytest
import torch

from deeplab_caffe.engine.net import Net

T, N, INPUTS, D = 5, 3, 4, 2


def net_of(tmp_path, bottoms="", tops="", fields="", static=(), phase="test", kind="LSTM"):
    path = tmp_path / "net.prototxt"
    shapes = {"x": (T, N, 2, 2), "cont": (T, N), **dict(static)}
    inputs = "".join(
        f'input: "{name}" input_shape {{ {" ".join(f"dim: {s}" for s in shape)} }}\n'
        for name, shape in shapes.items()
    )
    path.write_text(
        f'{inputs}layer {{ name: "lstm" type: "{kind}" bottom: "x" bottom: "cont" {bottoms} top: "h" {tops} '
        f"recurrent_param {{ num_output: {D} {fields} weight_filler {{ type: 'uniform' min: -1 max: 1 }} "
        "bias_filler { type: 'uniform' min: -1 max: 1 } } }\n"
    )
    return Net(path, phase=phase)


def loop(x, cont, blobs, h, c, static=None):
    """The cells of every sequence and step, one number at a time."""
    weights, bias, *of_static, own = (blob.values().double() for blob in blobs)
    outputs = torch.zeros(T, N, D, dtype=torch.float64)
    h, c = h.double().clone(), c.double().clone()
    for t in range(T):
        for n in range(N):
            go = cont[t, n].double()
            gates = weights @ x[t, n].double().flatten() + bias + own @ (h[n] * go)
            if static is not None:
                gates = gates + of_static[0] @ static[n].double().flatten()
            i, f, o = (torch.sigmoid(gates[k * D : (k + 1) * D]) for k in range(3))
            c[n] = f * c[n] * go + i * torch.tanh(gates[3 * D :])
            h[n] = o * torch.tanh(c[n])
            outputs[t, n] = h[n]
    return outputs, h, c


def given(rand):
    cont = torch.ones(T, N)
    cont[0, 1] = cont[3, 2] = 0
    return rand(T, N, 2, 2), cont


def test_values_and_the_state_from_forward_to_forward(tmp_path, rand):
    net = net_of(tmp_path)
    assert [blob.shape for blob in net.params["lstm"]] == [(4 * D, INPUTS), (4 * D,), (4 * D, D)]
    (x, cont), h, c = given(rand), torch.zeros(N, D), torch.zeros(N, D)
    for _ in range(3):
        wanted, h, c = loop(x, cont, net.params["lstm"], h, c)
        torch.testing.assert_close(net(x=x, cont=cont).double(), wanted, rtol=1e-5, atol=1e-6)
    net.seek(0)
    wanted, *_ = loop(x, cont, net.params["lstm"], torch.zeros(N, D), torch.zeros(N, D))
    torch.testing.assert_close(net(x=x, cont=cont).double(), wanted, rtol=1e-5, atol=1e-6)


def test_a_static_input(tmp_path, rand):
    net = net_of(tmp_path, 'bottom: "s"', static={"s": (N, 3)})
    assert [blob.shape for blob in net.params["lstm"]] == [(8, 4), (8,), (8, 3), (8, 2)]
    (x, cont), s = given(rand), rand(N, 3)
    wanted, *_ = loop(x, cont, net.params["lstm"], torch.zeros(N, D), torch.zeros(N, D), s)
    torch.testing.assert_close(net(x=x, cont=cont, s=s).double(), wanted, rtol=1e-5, atol=1e-6)


def test_an_exposed_state(tmp_path, rand):
    state = {"h0": (1, N, D), "c0": (1, N, D)}
    ends = 'bottom: "h0" bottom: "c0"', 'top: "hT" top: "cT"'
    net = net_of(tmp_path, *ends, "expose_hidden: true", static=state)
    (x, cont), h, c = given(rand), rand(1, N, D), rand(1, N, D).roll(1, 2)
    for _ in range(2):  # nothing stays in the layer
        tops = net.forward(x=x, cont=cont, h0=h, c0=c)
        wanted = loop(x, cont, net.params["lstm"], h[0], c[0])
        for name, value in zip(("h", "hT", "cT"), wanted, strict=True):
            torch.testing.assert_close(tops[name].double().view(value.shape), value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", [pytest.param("LSTM", marks=pytest.mark.slow), "RNN"])
def test_gradients(tmp_path, rand, kind):
    net = net_of(tmp_path, phase="train", kind=kind)
    (layer,) = net.layers
    x, cont = given(rand)
    inputs = [x.double().requires_grad_(), *(b.values().double().requires_grad_() for b in layer.blobs)]
    assert torch.autograd.gradcheck(lambda x, *b: layer.formula([x, cont.double()], list(b))[0], inputs)
    single = x.clone().requires_grad_()
    layer.forward([x, cont], [torch.empty(T, N, D)])  # a state that is not 0
    before = [value.double() for value in layer._state]
    (top,) = layer.forward_train([single, cont])
    top.square().sum().backward()
    layer._state = before
    layer.formula([inputs[0], cont.double()], inputs[1:])[0].square().sum().backward()
    torch.testing.assert_close(single.grad.double(), inputs[0].grad, rtol=1e-4, atol=1e-5)
    for blob, wanted in zip(layer.blobs, inputs[1:], strict=True):
        torch.testing.assert_close(blob.tensor.grad.double(), wanted.grad, rtol=1e-4, atol=1e-5)
