"""What only a GPU can show of the convolution: determinism, streams, devices, graphs, memory."""

import pytest
import torch

from deeplab_caffe import ops
from deeplab_caffe.ops.device_convolution import TILE_VARIABLE
from deeplab_caffe.ops.epilogue import Bias, ReLU

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
]


def layer(seed: int, size: int = 65) -> tuple[dict, torch.Tensor]:
    """The arguments of an ASPP-like layer on the CPU, and its result there."""
    g = torch.Generator().manual_seed(seed)
    given = {
        "x": torch.randn(2, 96, size, size, generator=g),
        "weights": torch.randn(130, 96, 3, 3, generator=g),
        "pad": (12, 12),
        "dilation": (12, 12),
        "epilogue": [Bias(torch.randn(130, generator=g)), ReLU()],
    }
    return given, ops.atrous_conv(**given)


def moved(given: dict, device: str | torch.device = "cuda") -> dict:
    tensors = {name: given[name].to(device) for name in ("x", "weights")}
    steps = [
        (kind, *(v.to(device) if torch.is_tensor(v) else v for v in vs)) for kind, *vs in given["epilogue"]
    ]
    return given | tensors | {"epilogue": steps}


def same_bits(a: torch.Tensor, b: torch.Tensor) -> bool:
    return torch.equal(a.cpu().view(torch.int32), b.cpu().view(torch.int32))


@pytest.mark.parametrize("way", ["whole", "split", "mixed"])
def test_twenty_runs_are_the_same(way, monkeypatch):
    monkeypatch.setenv(TILE_VARIABLE, f",{way}")
    given, wanted = layer(0)
    on_device = moved(given)
    assert all(same_bits(ops.atrous_conv(**on_device), wanted) for _ in range(20))


def test_concurrent_streams():
    layers = [layer(seed, 33 + 8 * seed) for seed in range(4)]
    inputs = [moved(given) for given, _ in layers]
    torch.cuda.synchronize()
    streams = [torch.cuda.Stream() for _ in layers]
    results = [[] for _ in layers]
    for _ in range(5):
        for stream, given, found in zip(streams, inputs, results, strict=True):
            with torch.cuda.stream(stream):
                found.append(ops.atrous_conv(**given))
    torch.cuda.synchronize()
    for (_, wanted), found in zip(layers, results, strict=True):
        assert all(same_bits(y, wanted) for y in found)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
def test_a_device_that_is_not_the_current_one():
    given, wanted = layer(1)
    y = ops.atrous_conv(**moved(given, "cuda:1"))
    assert y.device == torch.device("cuda:1") and torch.cuda.current_device() == 0
    assert same_bits(y, wanted)


def test_graph_capture_after_the_first_call():
    given, wanted = layer(2)
    on_device = moved(given)
    on_device["weights"] = ops.pack_weights(on_device["weights"])
    on_device["packed_shape"] = tuple(given["weights"].shape)
    y = ops.atrous_conv(**on_device)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        ops.atrous_conv(**on_device, out=y)
    other, wanted_other = layer(2)
    other["x"] = torch.randn_like(given["x"])
    wanted_other = ops.atrous_conv(**other)
    for x, result in ((given["x"], wanted), (other["x"], wanted_other)):
        on_device["x"].copy_(x)
        y.fill_(float("nan"))
        graph.replay()
        torch.cuda.synchronize()
        assert same_bits(y, result)


def test_too_little_memory_is_an_error_and_leaves_the_device_usable():
    given, wanted = layer(3)
    on_device = moved(given)
    free, _ = torch.cuda.mem_get_info()
    with pytest.raises(torch.OutOfMemoryError):
        ops.atrous_conv(
            torch.zeros(1, 1, 4096, 4096, device="cuda"),
            torch.zeros(free // (4 * 4096 * 4096) + 64, 1, 1, 1, device="cuda"),
        )
    torch.cuda.empty_cache()
    assert same_bits(ops.atrous_conv(**on_device), wanted)
