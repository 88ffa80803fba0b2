from deeplab_caffe.formats.prototxt import read_net


def test_writes_both_files(tmp_path, succeeds):
    succeeds("generate", "v2", "--backbone", "vgg16", "--rates", "2,4,8", "-o", tmp_path / "net")
    net = read_net(tmp_path / "net/deploy.prototxt", {"EXP": "voc12", "NUM_LABELS": 5})
    rates = [list(x.param.convolution_param.dilation) for x in net.layers if x.name.startswith("fc6_")]
    assert rates == [[2], [4], [8]]
    assert (tmp_path / "net/test.prototxt").exists()


def test_errors(tmp_path, fails):
    assert "resnet50" in fails("generate", "v2", "--backbone", "resnet50", "-o", tmp_path)
    assert "several scales" in fails("generate", "v2", "--backbone", "vgg16", "--multi-scale", "-o", tmp_path)
    assert "--rates 1,x" in fails("generate", "v2", "--rates", "1,x", "-o", tmp_path)
    assert not list(tmp_path.iterdir())


def test_v3(tmp_path, succeeds, fails):
    options = (
        "--backbone",
        "xception_41",
        "--output-stride",
        8,
        "--rates",
        "2,4",
        "--classes",
        5,
        "--size",
        "97x64",
    )
    succeeds("generate", "v3plus", *options, "--multi-grid", "1,2,3", "--plain-aspp", "-o", tmp_path)
    net = read_net(tmp_path / "deploy.prototxt")
    layers = {layer.name: layer.param for layer in net.layers}
    assert list(layers["data"].input_param.shape[0].dim) == [1, 3, 97, 64]
    assert layers["logits/semantic"].convolution_param.num_output == 5
    assert layers["aspp2"].convolution_param.dilation == [4] and "aspp3" not in layers
    succeeds("generate", "v3", "--backbone", "mobilenet_v2", "--rates", "", "-o", tmp_path)
    assert "aspp1" not in {layer.name for layer in read_net(tmp_path / "deploy.prototxt").layers}
    for package in ("torchvision", "smp"):
        succeeds("generate", package, "-o", tmp_path / package)
    assert "--multi-grid 1;2" in fails("generate", "v3", "--multi-grid", "1;2", "-o", tmp_path / "x")
    assert "backbone: vgg" in fails("generate", "v3plus", "--backbone", "vgg", "-o", tmp_path / "x")
    assert "decoder: 2" in fails("generate", "v3plus", "--decoder", 2, "-o", tmp_path / "x")
    assert not (tmp_path / "x").exists()
