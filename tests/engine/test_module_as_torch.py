"""What PyTorch people do with a module: state dicts, modes, types, copies, tracing."""

import copy
import io

import pytest
import torch

from deeplab_caffe.commands import main
from deeplab_caffe.engine.net import Net
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.prototxt import read_net
from tests.copying import through_a_file, through_pickle

TEXT = """
input: "data" input_shape { dim: 2 dim: 3 dim: 9 dim: 9 }
layer { name: "conv1/7x7" type: "Convolution" bottom: "data" top: "a"
  convolution_param { num_output: 6 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "bn" type: "BatchNorm" bottom: "a" top: "a" }
layer { name: "scale" type: "Scale" bottom: "a" top: "a" scale_param { bias_term: true } }
layer { name: "relu" type: "ReLU" bottom: "a" top: "a" }
layer { name: "drop" type: "Dropout" bottom: "a" top: "b" }
layer { name: "ip" type: "InnerProduct" bottom: "b" top: "s" loss_weight: 1
  inner_product_param { num_output: 4 transpose: true weight_filler { type: "xavier" } } }
"""
SHAPES = {
    "conv1_7x7.weight": (6, 3, 3, 3),
    "conv1_7x7.bias": (6,),
    "bn.running_mean": (6,),
    "bn.running_var": (6,),
    "scale.weight": (6,),
    "scale.bias": (6,),
    "ip.weight": (4, 486),
    "ip.bias": (4,),
}
OLD = """
input: "data" input_dim: 1 input_dim: 3 input_dim: 9 input_dim: 9
layers { name: "conv1_1" type: CONVOLUTION bottom: "data" top: "a"
  convolution_param { num_output: 64 kernel_size: 3 weight_filler { type: "xavier" } } }
layers { name: "drop" type: DROPOUT bottom: "a" top: "a" }
"""


def make(text=TEXT, phase="train", **options):
    return Net(read_net("net.prototxt", text=text, phase=phase), phase=phase, **options)


@pytest.fixture
def x():
    return torch.randn(2, 3, 9, 9, generator=torch.Generator().manual_seed(0))


class Peer(torch.nn.Module):
    """TEXT by hand, with PyTorch's own layers."""

    def __init__(self):
        super().__init__()
        self.conv1_7x7 = torch.nn.Conv2d(3, 6, 3, padding=1)
        self.bn = torch.nn.BatchNorm2d(6, affine=False)
        self.scale = torch.nn.Module()
        self.scale.weight, self.scale.bias = (torch.nn.Parameter(torch.rand(6)) for _ in range(2))
        self.ip = torch.nn.Linear(486, 4)

    def forward(self, x):
        x = self.bn(self.conv1_7x7(x))
        sides = (-1, 1, 1)
        x = torch.relu(x * self.scale.weight.view(sides) + self.scale.bias.view(sides))
        return self.ip(x.flatten(1))


def test_a_state_dict_has_pytorchs_names_and_shapes():
    module = make().module()
    state = module.state_dict()
    assert {name: tuple(values.shape) for name, values in state.items()} == SHAPES
    old = make(OLD).module()
    assert {name: tuple(v.shape) for name, v in old.state_dict().items()} == {
        "conv1_1.weight": (64, 3, 3, 3),
        "conv1_1.bias": (64,),
    }
    state["conv1_7x7.bias"].fill_(7)  # shares memory, as torch's do
    assert (dict(module.named_parameters())["conv1_7x7.bias"] == 7).all()
    outer = torch.nn.Sequential(module)
    assert list(outer.state_dict()) == [f"0.{name}" for name in SHAPES]
    outer.load_state_dict(outer.state_dict())


def test_a_modules_state_goes_to_pytorch_and_back(x):
    peer = Peer().eval()
    peer.bn.running_mean.uniform_()
    peer.bn.running_var.uniform_(0.5, 2)
    module = make(phase="test").module()
    assert str(module.load_state_dict(peer.state_dict())) == "<All keys matched successfully>"
    scores = module(x).outputs["s"]
    torch.testing.assert_close(scores, peer(x), rtol=1e-4, atol=1e-5)
    other = Peer().eval()
    other.load_state_dict(module.state_dict(), strict=False)
    assert all(torch.equal(v, peer.state_dict()[k]) for k, v in other.state_dict().items())


@pytest.mark.slow
def test_a_modules_state_is_that_of_the_exported_net(x, tmp_path):
    path, folder = tmp_path / "net.prototxt", tmp_path / "out"
    path.write_text(TEXT.replace(" loss_weight: 1", ""))
    net = Net(path, seed=4)
    net.params["bn"][2].data = torch.ones(1)
    net.save(tmp_path / "net.caffemodel")
    run = "export", "-m", path, "-w", tmp_path / "net.caffemodel", "--to", "torch", "-o", folder
    assert main([str(word) for word in run]) == 0
    state = torch.load(folder / "net.pt")
    module = Net(path, seed=5).module()
    assert str(module.load_state_dict(state)) == "<All keys matched successfully>"
    own = module.state_dict()
    assert list(own) == list(state) and all(torch.equal(own[name], state[name]) for name in own)
    assert torch.equal(module(x).outputs["s"], net(x))


def test_statistics_are_those_that_the_divisor_was_applied_to(x):
    net = make(phase="test")
    for blob, value in zip(net.params["bn"], (2.0, 3.0, 4.0), strict=True):
        blob.data = torch.full(blob.shape, value)
    module = net.module()
    before = module(x).outputs["s"]
    state = {name: values.clone() for name, values in module.state_dict().items()}
    assert (state["bn.running_mean"] == 0.5).all() and (state["bn.running_var"] == 0.75).all()
    module.load_state_dict({"bn.running_mean": state["bn.running_mean"]}, strict=False)  # the other stays
    assert net.params["bn"][2].data.item() == 1
    assert torch.equal(module(x).outputs["s"], before)
    module.load_state_dict(state)
    assert torch.equal(module(x).outputs["s"], before)
    with pytest.raises(DeepLabError, match="module: 2 inputs given, the net has 1"):
        module(x, x)


def test_loading_is_as_strict_as_torchs():
    module = make().module()
    state = module.state_dict()
    wrong = {name: values for name, values in state.items() if name != "ip.bias"} | {"other": torch.ones(1)}
    with pytest.raises(RuntimeError, match=r'Unexpected key.*"other"(.|\n)*|Missing key.*"ip.bias"'):
        module.load_state_dict(wrong)
    result = module.load_state_dict(wrong, strict=False)
    assert (result.missing_keys, result.unexpected_keys) == (["ip.bias"], ["other"])
    with pytest.raises(RuntimeError, match="ip.bias: list given, a torch.Tensor wanted"):
        module.load_state_dict(state | {"ip.bias": [1, 2, 3, 4]})
    with pytest.raises(RuntimeError, match=r"size mismatch for ip.bias: .*\(5,\).*\(4,\)"):
        module.load_state_dict(state | {"ip.bias": torch.ones(5)})


@pytest.mark.parametrize("precision", ["exact", "fp32"])
def test_eval_stops_dropout_and_train_starts_it(x, precision):
    for phase in ("train", "test"):
        module = make(OLD, phase, precision=precision).module()
        assert module.training == (phase == "train")

        def run(module=module):
            return module(x).outputs["a"]

        plain = make(OLD, "test", precision=precision)(x)
        assert module.eval() is module and module.net.phase == "test"
        torch.testing.assert_close(run(), plain)
        assert torch.equal(module.net(x), plain)
        module.train()
        share = (run() == 0).float().mean()
        assert 0.4 < share < 0.6 and (module.net(x) == 0).any()
        assert all(part.training for part in module.modules())
        torch.testing.assert_close(module.eval()(x).outputs["a"], plain)


def test_a_net_that_cannot_train_stays_as_it_was(x):
    text = OLD.replace('type: DROPOUT bottom: "a" top: "a"', 'type: POOLING bottom: "a" top: "b" POOL')
    text = text.replace("POOL }", "pooling_param { pool: STOCHASTIC kernel_size: 2 } }")
    module = make(text, "test").module()
    before = module(x).outputs["b"]
    with pytest.raises(DeepLabError, match="STOCHASTIC is implemented in the test phase only"):
        module.train()
    assert not module.training and module.net.phase == "test"
    assert {layer.context.phase for layer in module.net.layers} == {"test"}
    assert torch.equal(module(x).outputs["b"], before)


def test_eval_takes_the_stored_statistics(x):
    module = make().module()
    stored = [blob.values().clone() for blob in module.net.params["bn"]]
    module.eval()(x)
    assert all(torch.equal(a, b.values()) for a, b in zip(stored, module.net.params["bn"], strict=True))
    module.train()(x)
    assert module.net.params["bn"][2].data.item() == 1
    fixed = TEXT.replace(
        '"a" }\nlayer { name: "scale"', '"a" batch_norm_param { use_global_stats: true } }\n@'
    )
    fixed = make(fixed.replace("@", 'layer { name: "scale"')).module()
    fixed.train()(x)
    assert fixed.net.params["bn"][2].data.item() == 0  # the prototxt says so


@pytest.mark.parametrize("precision", ["exact", "fp32", "bf16"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("phase", ["train", "test"])
def test_other_types_train(x, precision, dtype, phase):
    text = TEXT.replace('}\nlayer { name: "ip"', 'dropout_param { dropout_ratio: 0 } }\nlayer { name: "ip"')
    module = make(text, phase, precision=precision, seed=1).module().to(dtype)
    assert {p.dtype for p in module.parameters()} == {dtype}
    result = module(x.to(dtype))
    result.loss.backward()
    weight = dict(module.named_parameters())["conv1_7x7.weight"]
    assert weight.grad.dtype == dtype and weight.grad.abs().sum() > 0
    plain = make(text, phase, precision=precision, seed=1).module()(x)
    torch.testing.assert_close(result.outputs["s"].float(), plain.outputs["s"].float(), rtol=0.1, atol=0.1)
    if precision != "bf16":
        with torch.no_grad():  # kernels take float32 values of the same parameters
            assert module.net.forward(data=x)["s"].dtype == torch.float32


def test_it_stays_on_its_device():
    module = make().module()
    assert module.to("cpu") is module and module.cpu() is module
    with pytest.raises(
        DeepLabError, match=r"computes on cpu and cannot be moved to meta: make it there, Net"
    ):
        module.to("meta")
    assert {p.device.type for p in module.parameters()} == {"cpu"}


@pytest.mark.parametrize("duplicate", [copy.deepcopy, through_pickle, through_a_file])
def test_copies_train_on_their_own(x, duplicate):
    module = make(seed=2).module()
    module(x).loss.backward()
    other = duplicate(module)
    module.zero_grad()
    optimizer = torch.optim.SGD(other.parameters(), lr=0.1)
    before = {name: values.clone() for name, values in module.state_dict().items()}
    optimizer.zero_grad()
    first = other(x).loss
    first.backward()
    optimizer.step()
    assert all(torch.equal(values, before[name]) for name, values in module.state_dict().items())
    assert not torch.equal(other.state_dict()["ip.weight"], before["ip.weight"])
    assert torch.equal(module(x).loss, first)  # Dropout drew the same in both
    other.load_state_dict(module.state_dict())
    assert torch.equal(other.eval()(x).loss, module.eval()(x).loss)


def test_a_shallow_copy_shares_the_net(x):
    module = make(phase="test").module()
    assert torch.equal(copy.copy(module)(x).loss, module(x).loss)


@pytest.mark.parametrize(
    "trace",
    [
        lambda m, x: torch.jit.trace(m, (x,)),
        lambda m, x: torch.jit.script(m),
        lambda m, x: torch.export.export(m, (x,), strict=False),
        lambda m, x: torch.onnx.export(m, (x,), io.BytesIO(), dynamo=False),
        lambda m, x: torch.fx.symbolic_trace(m),
        lambda m, x: torch.func.functional_call(m, {"ip.bias": torch.ones(4)}, (x,)),
    ],
    ids=["trace", "script", "export", "onnx", "fx", "functional"],
)
@pytest.mark.filterwarnings("ignore")
def test_what_cannot_be_traced_names_export(x, trace):
    with pytest.raises(DeepLabError, match="deeplab-caffe export") as caught:
        trace(make().module(), x)
    assert "\n" not in str(caught.value)
