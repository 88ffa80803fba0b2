"""CRF-RNN's layer against iterations of the package's dense CRF, and against its own definition."""

import pytest
import torch

from deeplab_caffe import crf
from deeplab_caffe.crf.lattice import bilateral_lattice, position_lattice
from deeplab_caffe.engine.net import Net
from deeplab_caffe.errors import DeepLabError

FIELDS = "num_iterations: %d theta_alpha: 20 theta_beta: 13 theta_gamma: 3 %s"
SIZE = 13, 17


def net_of(tmp_path, iterations=5, more="spatial_filter_weight: 3 bilateral_filter_weight: 5", phase="test"):
    path = tmp_path / "net.prototxt"
    path.write_text(
        'input: "scores" input_shape { dim: 2 dim: 4 dim: 13 dim: 17 }\n'
        'input: "image" input_shape { dim: 2 dim: 3 dim: 13 dim: 17 }\n'
        'layer { name: "crf" type: "MultiStageMeanfield" bottom: "scores" bottom: "scores" bottom: "image" '
        f'top: "refined" multi_stage_meanfield_param {{ {FIELDS % (iterations, more)} }} }}\n'
    )
    return Net(path, phase=phase)


@pytest.fixture
def given(rand):
    image = torch.randint(256, (2, 3, *SIZE), generator=torch.Generator().manual_seed(4)).float() - 110
    return {"scores": rand(2, 4, *SIZE) * 3, "image": image}


@pytest.mark.parametrize("iterations", [2, 5, 10])
def test_marginals_are_the_dense_crfs(tmp_path, given, iterations):
    """Potts' model with one weight a kernel is DenseCRF, normalised behind the filter."""
    refined = net_of(tmp_path, iterations)(**given)
    for scores, image, top in zip(given["scores"], given["image"], refined, strict=True):
        model = crf.DenseCRF(*SIZE, 4).unary(-scores.permute(1, 2, 0).contiguous().numpy())
        model.gaussian(3, 3, normalization="after")
        pixels = image.permute(1, 2, 0).contiguous().numpy()
        model.bilateral(pixels, 20, 13, 5, normalization="after")
        wanted = torch.from_numpy(model.infer(iterations)).permute(2, 0, 1)
        torch.testing.assert_close(torch.softmax(top, 0), wanted, rtol=1e-4, atol=2e-5)


def test_matrices(tmp_path, given, rand):
    """Any weights and compatibility, against the steps written out."""
    net = net_of(tmp_path, 3)
    for number, blob in enumerate(net.params["crf"]):
        blob.data = rand(1, 1, 4, 4).roll(number, 3)
    refined = net(**given)
    spatial, bilateral, compatibility = (blob.values()[0, 0].double() for blob in net.params["crf"])
    for n in range(2):
        scores = given["scores"][n].flatten(1).double()  # (labels, pixels)
        image = given["image"][n].permute(1, 2, 0).contiguous().numpy()
        lattices = position_lattice(*SIZE, 3), bilateral_lattice(image, 20, 13)
        q = scores
        for _ in range(3):
            p = torch.softmax(q, 0)
            message = torch.zeros_like(p)
            for lattice, weights in zip(lattices, (spatial, bilateral), strict=True):
                ones = torch.from_numpy(lattice.filter(torch.ones(p.shape[1], 1).double().numpy()))
                filtered = torch.from_numpy(lattice.filter(p.t().contiguous().numpy())) / ones
                message += weights @ filtered.t()
            q = scores - compatibility @ message
        torch.testing.assert_close(refined[n].flatten(1).double(), q, rtol=1e-4, atol=1e-4)


def test_gradients(tmp_path, given):
    """Those of float32 training against float64's formula, which finite differences confirm in one value."""
    net = net_of(tmp_path, 2, phase="train")
    (layer,) = net.layers
    scores = given["scores"].clone().requires_grad_()
    (top,) = layer.forward_train([scores, scores, given["image"]])
    assert torch.equal(top.detach(), net(**given))
    top.square().sum().backward()

    def loss(values, blobs):
        return layer.formula([values, values, given["image"]], blobs)[0].square().sum()

    double = given["scores"].double().requires_grad_()
    blobs = [blob.values().double().requires_grad_() for blob in layer.blobs]
    loss(double, blobs).backward()
    torch.testing.assert_close(scores.grad.double(), double.grad, rtol=1e-3, atol=1e-3)
    for blob, wanted in zip(layer.blobs, blobs, strict=True):
        torch.testing.assert_close(blob.tensor.grad.double(), wanted.grad, rtol=1e-3, atol=1e-2)
    step = torch.zeros_like(double)
    step[1, 2, 5, 5] = 1e-5
    with torch.no_grad():
        slope = (loss(double + step, blobs) - loss(double - step, blobs)) / 2e-5
    torch.testing.assert_close(slope, double.grad[1, 2, 5, 5], rtol=1e-5, atol=1e-5)


def test_start(tmp_path):
    net = net_of(tmp_path)
    assert [blob.values()[0, 0].diagonal().tolist() for blob in net.params["crf"]] == [
        [3] * 4,
        [5] * 4,
        [-1] * 4,
    ]
    assert net.params["crf"][0].values().sum() == 12


def test_errors(tmp_path):
    with pytest.raises(DeepLabError, match="num_iterations: 1 given, more than 1"):
        net_of(tmp_path, 1)
    net_of(tmp_path, 2)
    path = tmp_path / "net.prototxt"
    text = path.read_text()
    path.write_text(text.replace("theta_gamma: 3", "theta_gamma: 0"))
    with pytest.raises(DeepLabError, match="theta_gamma: 0 given"):
        Net(path)
    path.write_text(text.replace("dim: 2 dim: 3", "dim: 2 dim: 1"))
    with pytest.raises(DeepLabError, match="image .2, 1, 13, 17., .2, 3, 13, 17. wanted"):
        Net(path)
