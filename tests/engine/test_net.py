import numpy as np
import pytest
import torch

from deeplab_caffe.engine.net import Net
from deeplab_caffe.errors import DeepLabError, DeepLabWarning
from deeplab_caffe.layers import Layer, register
from deeplab_caffe.layers.abilities import Fusing


@register("TestAddOne")
class AddOne(Layer):
    in_place = True

    def forward(self, bottoms, tops):
        torch.add(bottoms[0], 1, out=tops[0])


@register("TestDouble")
class Double(Fusing):
    """Not in place; fuses any number of TestAddOne."""

    def fuses(self, following, bottom, fused):
        return isinstance(following, AddOne)

    def forward(self, bottoms, tops, fused=()):
        tops[0].zero_()
        tops[0].add_(bottoms[0], alpha=2)
        tops[0].add_(len(fused))


@register("TestFold")
class Fold(Layer):
    """The sum of both halves along the first axis."""

    def shape(self, bottoms):
        return [(bottoms[0][0] // 2, *bottoms[0][1:])]

    def forward(self, bottoms, tops):
        torch.add(*bottoms[0].chunk(2), out=tops[0])


@register("TestGain")
class Gain(Layer):
    """One parameter per channel; has a fast path."""

    def blob_shapes(self, bottoms):
        return [(bottoms[0][1],)]

    def fillers(self):
        return [3]

    def forward(self, bottoms, tops):
        tops[0].copy_(bottoms[0] * self.blobs[0].values().view(1, -1, 1, 1))

    def forward_fast(self, bottoms):
        x = bottoms[0].to(torch.bfloat16 if self.context.precision == "bf16" else torch.float32)
        return [
            x.to(memory_format=torch.channels_last) * self.blobs[0].values().view(1, -1, 1, 1).to(x.dtype)
        ]


@register("TestGrowingData")
class GrowingData(Layer):
    """A data layer whose image is one row higher each time."""

    bottom_count = (0, 0)
    rows = 1

    def shape(self, bottoms):
        return [(1, 1, self.rows, 2)]

    def forward(self, bottoms, tops):
        tops[0].fill_(self.rows)
        self.rows += 1


def write(tmp_path, text, name="net.prototxt"):
    path = tmp_path / name
    path.write_text(text)
    return path


INPUT = 'input: "x" input_shape { dim: 2 dim: 3 dim: 4 dim: 5 }\n'


def layer(kind, name, bottoms, tops, rest=""):
    ends = "".join(f' bottom: "{b}"' for b in bottoms.split()) + "".join(f' top: "{t}"' for t in tops.split())
    return f'layer {{ name: "{name}" type: "{kind}"{ends} {rest} }}\n'


@pytest.fixture
def x():
    return torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def make(tmp_path):
    return lambda *layers, **options: Net(write(tmp_path, INPUT + "".join(layers)), **options)


def test_forward_gives_the_blobs_nobody_reads(make, x):
    net = make(
        layer("TestDouble", "a", "x", "a"), layer("TestDouble", "b", "a", "b"), layer("Split", "c", "a", "c")
    )
    result = net.forward(x=x)
    assert list(result) == ["b", "c"] == list(net.outputs)
    assert torch.equal(result["b"], 4 * x) and torch.equal(result["c"], 2 * x)
    assert net.inputs == {"x": (2, 3, 4, 5)}


def test_outputs_are_the_callers_own(make, x):
    net = make(layer("TestDouble", "a", "x", "a"), layer("Split", "b", "x", "b"))
    first = net.forward(x=x)
    kept = {name: tensor.clone() for name, tensor in first.items()}
    net.forward(x=x + 1)
    assert all(torch.equal(first[name], kept[name]) for name in first)
    first["b"].zero_()
    assert x.abs().sum() > 0


def test_who_read_a_blob_before_an_in_place_layer_sees_the_old_values(make, x):
    net = make(
        layer("TestDouble", "a", "x", "a"),
        layer("Split", "s", "a", "s1 s2"),
        layer("TestAddOne", "plus", "s1", "s1"),
        layer("TestAddOne", "plus_a", "a", "a"),
        layer("TestDouble", "late", "s2", "late"),
    )
    result = net.forward(x=x)
    assert torch.equal(result["s1"], 2 * x + 1)
    assert torch.equal(result["a"], 2 * x + 1)
    assert torch.equal(result["late"], 4 * x)


def test_an_input_is_not_overwritten_by_a_layer_in_place(make, x):
    before = x.clone()
    net = make(layer("TestAddOne", "plus", "x", "x"))
    assert torch.equal(net(x), before + 1) and torch.equal(x, before)


def test_following_layers_are_fused_unless_somebody_watches(make, x):
    x = x.round()
    layers = [
        layer("TestDouble", "a", "x", "a"),
        layer("TestAddOne", "p", "a", "a"),
        layer("TestAddOne", "q", "a", "b"),
        layer("Split", "s", "b", "c"),
    ]
    net = make(*layers)
    assert torch.equal(net(x), 2 * x + 2)
    assert [each.name for each in net._plans.schedule(None, "forward").nodes[0].fused] == ["p", "q"]
    seen = []
    watched = net.forward(x=x, on_layer=lambda i, each, tops: seen.append((i, each.name, *tops.items())))
    assert [each[:2] for each in seen] == [(0, "a"), (1, "p"), (2, "q"), (3, "s")]
    assert torch.equal(watched["c"], 2 * x + 2)
    assert torch.equal(net(x), 2 * x + 2)
    assert torch.equal(make(*layers, keep_blobs=True)(x), 2 * x + 2)


def test_on_layer_sees_each_value_right_after_its_layer(make, x):
    net = make(
        layer("TestDouble", "a", "x", "a"),
        layer("TestAddOne", "p", "a", "a"),
        layer("TestDouble", "b", "a", "b"),
    )
    seen = {}
    net.forward(x=x, on_layer=lambda i, each, tops: seen.update({(i, n): t.clone() for n, t in tops.items()}))
    assert torch.equal(seen[0, "a"], 2 * x)
    assert torch.equal(seen[1, "a"], 2 * x + 1)
    assert torch.equal(seen[2, "b"], 4 * x + 2)


def test_memory_is_reused_and_kept_on_request(make, x):
    layers = [layer("TestDouble", f"l{i}", f"b{i - 1}" if i else "x", f"b{i}") for i in range(10)]
    net, keeping = make(*layers), make(*layers, keep_blobs=True)
    assert torch.equal(net(x), keeping(x))
    # Two intermediate blobs alive at a time; the output is the caller's.
    assert net._plans.arena.values.numel() <= 2 * (x.numel() + 16)
    assert keeping._plans.arena.values.numel() >= 9 * x.numel()
    assert net.blobs["b3"].is_meta and net.blobs["b3"].shape == x.shape
    assert all(torch.equal(keeping.blobs[f"b{i}"], 2.0 ** (i + 1) * x) for i in range(10))
    assert keeping.blobs["x"] is not None and not keeping.blobs["x"].is_meta


@pytest.mark.slow
def test_random_graphs_give_what_a_plain_evaluation_gives(tmp_path):
    """Reuse, sharing and fusion against one fresh tensor per value."""
    rng = np.random.default_rng(0)
    for case in range(60):
        # Small whole numbers: sums are exact in any order.
        drawn = torch.randint(-8, 8, (2, 3, 4, 5), generator=torch.Generator().manual_seed(case))
        text, current = INPUT, {"x": drawn.float()}
        x = current["x"]
        for i in range(12):
            kinds = ["TestDouble", "TestAddOne", "Split", "Eltwise", "Concat", "Flatten4", "Dropout"]
            kind = rng.choice(kinds)
            names = sorted(current)
            a, b = rng.choice(names), rng.choice(names)
            top = a if kind in ("TestAddOne", "Dropout") and rng.random() < 0.7 else f"v{i}"
            if kind == "Eltwise":
                text += layer(kind, f"l{i}", f"{a} {b}", top)
                current[top] = current[a] + current[b]
            elif kind == "Concat":
                # Along the first axis: a and b may be made where they are wanted.
                text += layer(kind, f"l{i}", f"{a} {b}", f"c{i}", "concat_param { axis: 0 }")
                text += layer("TestAddOne", f"m{i}", f"c{i}", f"c{i}") if rng.random() < 0.5 else ""
                added = text.count(f'"m{i}"')
                text += layer("TestFold", f"n{i}", f"c{i}", top)
                current[top] = (current[a] + added) + (current[b] + added)
            elif kind == "Flatten4":
                rest = "reshape_param { shape { dim: 0 dim: 3 dim: 4 dim: -1 } }"
                text += layer("Reshape", f"l{i}", a, top, rest)
                current[top] = current[a]
            elif kind == "Split":
                text += layer(kind, f"l{i}", a, f"{top} w{i}")
                current[top] = current[f"w{i}"] = current[a]
            else:
                text += layer(kind, f"l{i}", a, top)
                change = {
                    "TestDouble": lambda t: 2 * t,
                    "TestAddOne": lambda t: t + 1,
                    "Dropout": lambda t: t,
                }
                current[top] = change[kind](current[a])
        path = write(tmp_path, text)
        for options in ({}, {"keep_blobs": True}, {"precision": "fp32"}):
            net = Net(path, **options)
            for _ in range(2):
                for name, tensor in net.forward(x=x).items():
                    assert torch.equal(tensor, current[name]), (case, options, name)
            if net.keep_blobs:
                assert all(
                    torch.equal(tensor, current[name])
                    for name, tensor in net.blobs.items()
                    if name in current
                )
            chosen = sorted(current)[-1]
            assert torch.equal(net.forward(x=x, outputs=[chosen])[chosen], current[chosen])


def test_another_input_size_reshapes(make, x):
    net = make(layer("TestDouble", "a", "x", "a"))
    bigger = torch.ones(1, 3, 9, 9)
    assert torch.equal(net(bigger), 2 * bigger)
    assert torch.equal(net(x), 2 * x)
    net.reshape(x=(5, 3, 1, 1))
    assert net.outputs == {"a": (5, 3, 1, 1)}


def test_a_failed_reshape_leaves_the_net_as_it_was(make, x):
    net = make(layer("TestGain", "g", "x", "g"))
    with pytest.raises(
        DeepLabError, match=r"layer 'g' \(TestGain\): bottom: parameter 0 is 3, this input wants 4"
    ):
        net(torch.ones(1, 4, 2, 2))
    assert torch.equal(net(x), 3 * x)


def test_inputs_are_numpy_or_torch_of_any_real_type(make, x):
    net = make(layer("TestDouble", "a", "x", "a"))
    assert torch.equal(net(x.numpy()), 2 * x)
    assert torch.equal(net(x.double()), 2 * x)
    assert torch.equal(net(np.ones((1, 3, 2, 2), np.uint8)), torch.full((1, 3, 2, 2), 2.0))
    for wrong, message in (
        (np.array(["a"]), "numbers wanted"),
        (x.to(torch.complex64), "real numbers wanted"),
    ):
        with pytest.raises(DeepLabError, match=message):
            net(wrong)
    with pytest.raises(DeepLabError, match="3x4x5 given, 4 dimensions wanted"):
        net(x[0])
    with pytest.raises(DeepLabError, match="input 'x' would be 0x3x4x5"):
        net(x[:0])
    with pytest.raises(DeepLabError, match="input 'x' is missing"):
        net()
    with pytest.raises(DeepLabError, match="no input is named 'y'; inputs: x"):
        net(y=x)


def test_outputs_by_name_run_only_what_they_need(make, x):
    net = make(layer("TestDouble", "a", "x", "a"), layer("TestDouble", "b", "a", "b"))
    ran = []
    result = net.forward(x=x, outputs=["a"], on_layer=lambda i, each, tops: ran.append(each.name))
    assert list(result) == ["a"] and ran == ["a"]
    with pytest.raises(DeepLabError, match="no blob is named 'z'"):
        net.forward(x=x, outputs=["z"])


@pytest.mark.parametrize("precision, tolerance", [("fp32", 0), ("bf16", 1e-2)])
def test_other_precisions(make, x, precision, tolerance):
    layers = [
        layer("TestGain", "g", "x", "g"),
        layer("Dropout", "d", "g", "g"),
        layer("TestAddOne", "p", "g", "p"),
    ]
    result = make(*layers, precision=precision)(x)
    assert result.dtype == torch.float32 and result.is_contiguous()
    assert (result - (3 * x + 1)).abs().max() <= tolerance * (1 + 3 * x.abs().max())


def test_data_layers_feed_the_net_and_may_change_size(tmp_path):
    net = Net(write(tmp_path, layer("TestGrowingData", "d", "", "d") + layer("TestDouble", "a", "d", "a")))
    for rows in (1, 2, 3):
        assert torch.equal(net(), torch.full((1, 1, rows, 2), 2.0 * rows))


def test_inputs_may_replace_data_layers(tmp_path, x):
    path = write(
        tmp_path,
        layer("DummyData", "d", "", "data label", "dummy_data_param { shape { dim: 1 } }")
        + layer("TestDouble", "a", "data", "a")
        + layer("Eltwise", "loss", "a label", "loss")
        + layer("Silence", "s", "loss", ""),
    )
    net = Net(path, inputs={"data": (2, 3, 4, 5)})
    assert [each.name for each in net.layers] == ["a"]
    assert torch.equal(net(x), 2 * x)
    with pytest.raises(DeepLabError, match="no data layer or input gives a blob 'dta'"):
        Net(path, inputs={"dta": (1,)})


def test_parameters_start_from_fillers_and_are_shared_by_name(make, x):
    shared = 'param { name: "w" }'
    net = make(layer("TestGain", "g", "x", "g", shared), layer("TestGain", "h", "g", "h", shared))
    assert net.params["g"][0] is net.params["h"][0]
    net.params["g"][0].data.fill_(2)
    assert torch.equal(net(x), 4 * x)


def test_weights_are_saved_and_loaded(make, x, tmp_path):
    net = make(layer("TestGain", "g", "x", "g"), layer("TestGain", "h", "g", "h"))
    net.params["g"][0].data = torch.tensor([1.0, 2, 3])
    path = tmp_path / "net.caffemodel"
    net.save(path)
    with pytest.warns(DeepLabWarning, match="no weights for new"):
        other = make(layer("TestGain", "g", "x", "g"), layer("TestGain", "new", "g", "n"), weights=path)
    assert other.params["g"][0].values().tolist() == [1, 2, 3]
    assert (other.report.loaded, other.report.unused, other.report.missing) == (["g"], ["h"], ["new"])
    assert "layer 'h' is not in the net" in str(other.report)
    with pytest.raises(DeepLabError, match="no layer of it has weights for this net; layers in it: g, h"):
        make(layer("TestGain", "a", "x", "a"), weights=path)
    net = make(layer("Concat", "c", "x x", "c"), layer("TestGain", "g", "c", "g"))
    with pytest.raises(DeepLabError, match=r"layer .g., blob 0: shape 3 in the file, 6 in the net"):
        net.load(path)


@pytest.mark.parametrize(
    "layers, message",
    [
        ([("TestDouble", "a", "nothing", "a")], "net.prototxt:2: layer 'a' .* unknown bottom blob 'nothing'"),
        ([("TestDouble", "a", "x", "a"), ("Split", "b", "x", "a")], "'a' is already produced by layer 'a'"),
        ([("Split", "b", "x", "y x")], "blob 'x' is already produced by the net's input"),
        ([("NoSuch", "a", "x", "a")], "net.prototxt:2: .* unknown layer type NoSuch"),
        ([("Eltwise", "a", "x", "a")], "bottom: 1 given, 2 to any number wanted"),
    ],
)
def test_wrong_nets(make, layers, message):
    with pytest.raises(DeepLabError, match=message) as error:
        make(*[layer(*each) for each in layers])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("dims", [(1, 3, 600_000, 600_000), (2**40, 2**40, 2**40, 2**40)])
def test_a_net_too_large_for_memory_is_refused_before_allocation(tmp_path, dims):
    text = 'input: "x" input_shape {' + "".join(f" dim: {dim}" for dim in dims) + " }\n"
    path = write(tmp_path, text + layer("TestDouble", "a", "x", "a"))
    with pytest.raises(DeepLabError, match=r"layer 'a' .* blob 'a' is .* TB\), the net needs .* available"):
        Net(path)


def test_too_many_parameters_are_refused(tmp_path):
    path = write(
        tmp_path,
        f'input: "x" input_shape {{ dim: 1 dim: {2**33} dim: 1 dim: 1 }}' + layer("TestGain", "g", "x", "g"),
    )
    with pytest.raises(DeepLabError, match="the net needs"):
        Net(path)


@pytest.mark.parametrize(
    "option", [{"phase": "tset"}, {"precision": "fp8"}, {"threads": 0}, {"device": "gpu7"}]
)
def test_wrong_options(make, option):
    with pytest.raises(DeepLabError, match=next(iter(option))):
        make(layer("TestDouble", "a", "x", "a"), **option)


def test_inputs_of_any_number_type(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(
        'input: "x" input_shape { dim: 1 dim: 1 dim: 2 dim: 2 }'
        'layer { name: "r" type: "ReLU" bottom: "x" top: "y" }'
    )
    for dtype in (np.float64, np.uint8, np.int64):
        top = Net(path)(np.arange(4, dtype=dtype).reshape(1, 1, 2, 2))
        assert top.dtype == torch.float32
        assert top.flatten().tolist() == [0, 1, 2, 3]


def test_shapes_for_other_sizes_reshape_nothing(make, x):
    net = make(layer("TestDouble", "a", "x", "a"), layer("TestFold", "f", "a", "f"))
    wanted, shape = net(x), tuple(x.shape)
    assert net.shapes_for(x=(6, 2, 3)) == {"x": (6, 2, 3), "a": (6, 2, 3), "f": (3, 2, 3)}
    assert net.shapes_for()["x"] == net.inputs["x"] == shape
    assert torch.equal(net(x), wanted)
    with pytest.raises(DeepLabError, match="no input is named 'y'"):
        net.shapes_for(y=(1,))
    with pytest.raises(DeepLabError, match="blob 'f' would be"):
        net.shapes_for(x=(1, 2, 3))


def test_a_layers_own_phase_wins(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(
        'input: "x" input_shape { dim: 1 dim: 1000 }\n'
        'layer { name: "d" type: "Dropout" bottom: "x" top: "own" phase: TRAIN }\n'
        'layer { name: "e" type: "Dropout" bottom: "x" top: "nets" }\n'
    )
    net, x = Net(path), torch.ones(1, 1000)
    for phase, kept in (("test", True), ("train", False), ("test", True)):
        net.phase = phase
        tops = net.forward(x=x)
        assert 300 < (tops["own"] == 0).sum() < 700
        assert torch.equal(tops["nets"], x) == kept


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("param { } param { } param { }", "param: 3 given, the layer has 2 parameters"),
        ("propagate_down: true propagate_down: false", "propagate_down: 2 given for 1 bottoms"),
    ],
)
def test_counts_that_caffe_checks(tmp_path, fields, message):
    path = tmp_path / "net.prototxt"
    path.write_text(
        'input: "x" input_shape { dim: 1 dim: 3 dim: 4 dim: 4 }\n'
        'layer { name: "c" type: "Convolution" bottom: "x" top: "c" '
        f"convolution_param {{ num_output: 2 kernel_size: 1 }} {fields} }}\n"
    )
    with pytest.raises(DeepLabError, match=f"layer 'c' .Convolution.: {message}"):
        Net(path)
    path.write_text(path.read_text().replace(fields, "param { } param { } propagate_down: true"))
    assert Net(path).outputs == {"c": (1, 2, 4, 4)}


def test_a_blob_of_the_other_phase(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(
        'layer { name: "d" type: "DummyData" top: "data" include { phase: TRAIN } '
        "dummy_data_param { shape { dim: 1 } } }\n"
        'layer { name: "r" type: "ReLU" bottom: "data" top: "out" }\n'
    )
    with pytest.raises(DeepLabError, match="unknown bottom blob 'data'; layer 'd', of another phase"):
        Net(path)
    assert Net(path, phase="train").outputs == {"out": (1,)}


def test_an_input_without_a_shape_gets_it_from_the_caller(tmp_path):
    path = tmp_path / "net.prototxt"
    layer = 'layer { name: "r" type: "ReLU" bottom: "data" top: "out" }\n'
    for text in ('input: "data"\n', 'layer { name: "i" type: "Input" top: "data" }\n'):
        path.write_text(text + layer)
        with pytest.raises(DeepLabError, match="data"):
            Net(path)
        net = Net(path, inputs={"data": (1, 3, 4, 4)})
        assert net(data=torch.ones(2, 3, 5, 4)).shape == (2, 3, 5, 4)
