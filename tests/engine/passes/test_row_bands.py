import pytest
import torch

from deeplab_caffe import Net
from deeplab_caffe.engine.passes import row_bands
from deeplab_caffe.engine.passes.row_bands import RowBands


def conv(name, bottom, outputs, kernel, rest=""):
    filler = 'weight_filler { type: "gaussian" std: 0.3 } bias_filler { type: "gaussian" std: 0.3 }'
    return (
        f'layer {{ name: "{name}" type: "Convolution" bottom: "{bottom}" top: "{name}" convolution_param {{ '
        f"num_output: {outputs} kernel_size: {kernel} {rest} {filler} }} }}\n"
    )


def other(kind, name, bottoms, top, rest=""):
    ends = "".join(f' bottom: "{b}"' for b in bottoms.split())
    return f'layer {{ name: "{name}" type: "{kind}"{ends} top: "{top}" {rest} }}\n'


def pool(name, bottom, rest):
    return other("Pooling", name, bottom, name, f"pooling_param {{ pool: MAX {rest} }}")


INPUT = 'input: "x" input_shape { dim: 2 dim: 3 dim: 41 dim: 37 }\n'
NETS = {
    "convolutions and a pooling": conv("a", "x", 4, 3, "pad: 1")
    + other("ReLU", "ra", "a", "a")
    + conv("b", "a", 5, 3, "pad: 2 dilation: 2")
    + pool("p", "b", "kernel_size: 3 stride: 2 pad: 1"),
    "poolings that keep the size": conv("a", "x", 4, 5, "pad: 6 dilation: 3")
    + pool("p", "a", "kernel_size: 3 stride: 1 pad: 1")
    + pool("q", "p", "kernel_size: 2 stride: 1")
    + conv("b", "q", 3, 1),
    "depthwise, with a sum behind": conv("s", "x", 6, 1)
    + conv("d", "s", 6, 3, "group: 6 pad: 4 dilation: 4")
    + conv("p", "d", 6, 1)
    + other("Eltwise", "e", "p s", "e"),
    "steps larger than windows": conv("a", "x", 4, 1)
    + conv("b", "a", 4, 1, "stride: 3")
    + conv("c", "b", 2, 3, "stride: 2 pad: 1"),
}


def bands_of(net):
    return [node for node in net._plans.schedule(None, "forward").nodes if isinstance(node, RowBands)]


@pytest.fixture
def small_bands(monkeypatch):
    monkeypatch.setattr(row_bands, "LEAST_SAVED", 1)
    monkeypatch.setattr(row_bands, "POSITIONS_PER_THREAD", 100)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("threads", [1, 2])
def test_bands_give_the_bits_of_the_whole(small_bands, tmp_path, name, threads):
    path = tmp_path / "net.prototxt"
    path.write_text(INPUT + NETS[name])
    net, whole = Net(path, threads=threads), Net(path, threads=threads, keep_blobs=True)
    assert bands_of(net) and not bands_of(whole)
    assert all(len(layer.bands) > 2 for layer in bands_of(net))
    for shape in ((2, 3, 41, 37), (1, 3, 64, 50)):
        x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        assert torch.equal(net(x).view(torch.int32), whole(x).view(torch.int32))


def test_what_lies_between_is_never_whole_in_memory(small_bands, tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(INPUT.replace("dim: 41", "dim: 410") + NETS["convolutions and a pooling"])
    plan = Net(path, threads=1)._plans.schedule(None, "forward").plan
    assert plan.arena < 4 * 2 * (4 + 5) * 410 * 37 / 10


def test_small_nets_have_no_bands(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(INPUT + NETS["convolutions and a pooling"])
    assert not bands_of(Net(path))


def test_watched_and_kept_blobs_are_whole(small_bands, tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(INPUT + NETS["convolutions and a pooling"])
    net, x = Net(path), torch.randn(2, 3, 41, 37)
    seen = {}
    net.forward(x=x, on_layer=lambda i, layer, tops: seen.update({n: t.clone() for n, t in tops.items()}))
    assert seen["b"].shape == (2, 5, 41, 37)
    assert torch.equal(net.forward(x=x, outputs=["b"])["b"], seen["b"])


def test_bands_are_of_a_size_and_lower_with_many_channels(small_bands, tmp_path, monkeypatch):
    path = tmp_path / "net.prototxt"
    path.write_text(INPUT.replace("dim: 41", "dim: 410") + NETS["convolutions and a pooling"])
    counts = []
    for many in ({}, {5: 1, 4: 2}, {4: 4}):
        monkeypatch.setattr(row_bands, "MANY_CHANNELS", many)
        (bands,) = bands_of(Net(path, threads=8))
        heights = [end - first for first, end in (band[-1] for band in bands.bands)]
        assert len(set(heights[:-1])) == 1 and heights[0] - heights[-1] < len(heights)
        counts.append(len(heights))
    assert counts[0] < counts[1] < counts[2]


def test_streamed_weights_that_do_not_stay_are_read_once(small_bands, tmp_path, monkeypatch):
    path = tmp_path / "net.prototxt"
    path.write_text(INPUT + NETS["convolutions and a pooling"])
    assert bands_of(Net(path, threads=1, weight_memory=0))
    monkeypatch.setattr(row_bands, "MOST_STREAMED", 4 * 3 * 9 + 4)  # those of the first layer
    assert bands_of(Net(path, threads=1)) and not bands_of(Net(path, threads=1, weight_memory=0))
