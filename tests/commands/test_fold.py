from pathlib import Path

import numpy as np
import torch

from deeplab_caffe.engine.net import Net
from deeplab_caffe.formats.caffemodel import read_caffemodel

CAMVID = Path(__file__).parents[2] / "prototxt/camvid_largefov"


def test_the_training_net_folds_into_the_deploy_net(tmp_path, succeeds, monkeypatch, fails):
    monkeypatch.chdir(CAMVID.parents[1])
    (tmp_path / "list").mkdir()
    (tmp_path / "list/train.txt").write_text("none.png none.png\n")
    variables = {"DATA_ROOT": str(tmp_path), "EXP": str(tmp_path), "TRAIN_SET": "train"}
    options = [word for name, value in variables.items() for word in ("--set", f"{name}={value}")]
    inputs = {"data": (1, 3, 41, 41), "label": (1, 1, 41, 41)}
    net = Net(CAMVID / "train.prototxt", variables=variables, inputs=inputs)  # phase TEST
    generator = torch.Generator().manual_seed(0)
    for layer in net.layers:
        for blob in layer.blobs if layer.type in ("BatchNorm", "Scale") else ():
            blob.data.copy_(torch.rand(blob.shape, generator=generator) + 0.5)
    net.save(tmp_path / "trained.caffemodel")
    model = (
        "fold",
        "--model",
        CAMVID / "train.prototxt",
        "--weights",
        tmp_path / "trained.caffemodel",
        *options,
    )
    out = tmp_path / "out/folded.caffemodel"
    assert "16 layers, 30 folded" in succeeds(*model, "-o", out)
    assert all(len(layer.blobs) == 2 and layer.blobs[0].dim() == 4 for layer in read_caffemodel(out))
    image = np.random.default_rng(0).normal(0, 60, (1, 3, 41, 41)).astype(np.float32)
    deploy = Net(CAMVID / "deploy.prototxt", out)
    assert not deploy.report.unused and not deploy.report.missing
    deploy.reshape(data=image.shape)
    wanted = net.forward(data=image, label=np.zeros((1, 1, 41, 41)), outputs=["fc8_interp"])["fc8_interp"]
    result = deploy.forward(data=image, outputs=["fc8_interp"])["fc8_interp"]
    assert (result - wanted).abs().max() < 1e-4 * wanted.abs().max()
    net.params["fc6"][0].data[...] = 0
    text = (CAMVID / "train.prototxt").read_text().replace('name: "fc8_camvid"', 'name: "fc9"')
    (tmp_path / "other.prototxt").write_text(text)
    line = fails("fold", "-m", tmp_path / "other.prototxt", *model[3:], "-o", out)
    assert "no weights for fc9; layers there that the net lacks: fc8_camvid" in line
    assert "--layout v3" in fails(*model, "-o", out, "--layout", "v3")


def test_without_data_and_back(tmp_path, succeeds, fails):
    """A net whose data layer cannot run: folded, and unfolded from a batch of --input."""
    net = tmp_path / "train.prototxt"
    net.write_text(
        'layer { name: "d" type: "Data" top: "data" top: "label" data_param { source: "none" batch_size: 2 '
        "backend: LMDB } transform_param { crop_size: 9 mean_file: 'none' } }\n"
        'layer { name: "c" type: "Convolution" bottom: "data" top: "c" '
        "convolution_param { num_output: 4 kernel_size: 3 bias_term: false } }\n"
        'layer { name: "n" type: "BatchNorm" bottom: "c" top: "c" }\n'
        'layer { name: "s" type: "Scale" bottom: "c" top: "c" scale_param { bias_term: true } }\n'
        'layer { name: "l" type: "SoftmaxWithLoss" bottom: "c" bottom: "label" top: "l" }\n'
    )
    full = Net(net, inputs={"data": (2, 3, 9, 9)})
    full.params["c"][0].data = torch.randn(4, 3, 3, 3, generator=torch.Generator().manual_seed(1))
    full.params["s"][0].data = torch.tensor([1.0, 2, 3, 4])
    full.params["n"][1].data, full.params["n"][2].data = torch.tensor([1.0, 4, 9, 16]), torch.ones(1)
    full.save(tmp_path / "full.caffemodel")
    folded, again = tmp_path / "folded.caffemodel", tmp_path / "again.caffemodel"
    assert "1 layers, 2 folded" in succeeds(
        "fold", "-m", net, "-w", tmp_path / "full.caffemodel", "-o", folded
    )
    batch = np.random.default_rng(0).normal(0, 1, (2, 3, 9, 9)).astype(np.float32)
    np.save(tmp_path / "batch.npy", batch)
    model = ("unfold", "-m", net, "-w", folded, "-o", again)
    assert "1 convolutions" in succeeds(*model, "--input", f"data={tmp_path / 'batch.npy'}")
    back = Net(net, again, inputs={"data": (2, 3, 9, 9)})
    assert (back(data=batch) - full(data=batch)).abs().max() < 1e-4
    assert "none" in fails(*model)
