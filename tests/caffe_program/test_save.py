import os

from deeplab_caffe.formats.caffemodel import read_caffemodel, read_name


def test_the_layers_of_the_net(program, folder, trained):
    (folder / "deploy.prototxt").write_text(
        'name: "deployed" input: "data" input_shape { dim: 1 dim: 2 dim: 8 dim: 8 }'
        'layer { name: "conv" type: "Convolution" bottom: "data" top: "c" convolution_param { num_output: 4 '
        "kernel_size: 3 } }"
    )
    words = ("--model=deploy.prototxt", f"--weights={trained}", "--out_weights=deploy.caffemodel")
    ran = program("caffe", "save", *words)
    assert ran.code == 0 and "Ignoring source layer score" in ran.messages()
    assert "Snapshotting to deploy.caffemodel" in ran.messages()
    layers = read_caffemodel("deploy.caffemodel")
    assert [layer.name for layer in layers] == ["conv"] and read_name("deploy.caffemodel") == "deployed"
    before = next(layer for layer in read_caffemodel(trained) if layer.name == "conv")
    for one, two in zip(layers[0].blobs, before.blobs, strict=True):
        assert one.numpy().tobytes() == two.numpy().tobytes()


def test_errors(program, trained):
    ran = program("caffe", "save", "--model=net.prototxt", f"--weights={trained}")
    assert ran.code == 134 and ran.messages("F") == ["--out_weights: missing, the caffemodel to write wanted"]
    words = ("--model=net.prototxt", "--weights=none.caffemodel", "--out_weights=x")
    assert program("caffe", "save", *words).code == 134 and not os.path.exists("x")
