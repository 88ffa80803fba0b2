import pytest
import torch

from deeplab_caffe.engine.net import Net
from deeplab_caffe.formats.prototxt import read_net
from deeplab_caffe.layers import Context, create
from tests.layers.layer_text import layer


class Harness:
    """One layer from its prototxt text, run by itself."""

    def __init__(self, text, phase="test", **context):
        definition = read_net("net.prototxt", text=text, phase=phase)
        self.layer = create(definition.layers[-1], Context(phase=phase, **context))

    def __call__(self, *bottoms):
        bottoms = [torch.as_tensor(b, dtype=torch.float32).contiguous() for b in bottoms]
        shapes = self.layer.shape([tuple(b.shape) for b in bottoms])
        tops = [torch.full(shape, float("nan")) for shape in shapes]
        self.layer.forward(bottoms, tops)
        return tops


@pytest.fixture
def run_layer():
    return Harness


@pytest.fixture
def run_in_net(tmp_path):
    """run_in_net("Eltwise", a, b, rest="eltwise_param { operation: MAX }"): the tops of one layer.

    bottoms: tensors. `rest` is the layer's text; `v1`: `kind` is a V1 name and `layers { }` is written.
    """

    def run(kind, *bottoms, rest="", tops=1, v1=False, **options):
        shapes = [" ".join(f"dim: {size}" for size in bottom.shape) for bottom in bottoms]
        text = "".join(f'input: "b{i}" input_shape {{ {shape} }}\n' for i, shape in enumerate(shapes))
        names = [f"t{i}" for i in range(tops)]
        ends = "".join(f' bottom: "b{i}"' for i in range(len(bottoms))) + "".join(
            f' top: "{t}"' for t in names
        )
        word, kind = ("layers", kind) if v1 else ("layer", f'"{kind}"')
        path = tmp_path / "layer.prototxt"
        path.write_text(text + f'{word} {{ name: "tested" type: {kind}{ends} {rest} }}\n')
        net = Net(path, **options)
        result = net.forward(**{f"b{i}": bottom for i, bottom in enumerate(bottoms)}, outputs=names)
        return list(result.values())

    return run


@pytest.fixture
def rand():
    """rand(2, 3): normal values, always the same for the same shape."""
    return lambda *shape: torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.fixture
def against_float64(run_layer):
    """against_float64("TanH", torch.tanh, fields): each value alone, with 1 and 2 threads and in place."""

    def check(kind, wanted, fields=""):
        x = torch.linspace(-30, 30, 4001)
        for threads in (1, 2):
            run = run_layer(layer(kind, fields), threads=threads)
            (top,) = run(x)
            torch.testing.assert_close(top.double(), wanted(x.double()), rtol=2e-6, atol=1e-7)
            y = x.clone()
            run.layer.forward([y], [y])
            assert torch.equal(y, top)

    return check
