import re

import h5py
import numpy as np
import pytest

from deeplab_caffe import Net


def test_means_of_the_outputs(program, trained):
    ran = program("caffe", "test", "-model", "net.prototxt", "-weights", trained, "-iterations", 3)
    assert ran.code == 0 and not ran.out
    net, runs = Net("net.prototxt", trained), []
    for _ in range(3):
        outputs = net.forward()
        runs.append([*outputs["accuracy"].flatten().tolist(), outputs["loss"].item()])
    batches = [re.fullmatch(r"Batch (\d), (\w+) = (\S+)", text) for text in ran.messages()]
    found = [(int(m[1]), m[2], float(m[3])) for m in batches if m]
    names = ["accuracy"] * 3 + ["loss"]
    assert [row[:2] for row in found] == [(i, name) for i in range(3) for name in names]
    assert [row[2] for row in found] == pytest.approx(np.ravel(runs).tolist(), rel=1e-5)
    means = np.mean(runs, 0)
    last = ran.messages()[-5:]
    assert float(last[0].removeprefix("Loss: ")) == pytest.approx(means[3] / 2, rel=1e-5)
    assert [float(text.split()[2]) for text in last[1:]] == pytest.approx(means.tolist(), rel=1e-5)
    assert re.fullmatch(r"loss = \S+ \(\* 0.5 = \S+ loss\)", last[4])


def test_the_loss_may_be_no_output(program, trained):
    arguments = ("test", "--model=net.prototxt", f"--weights={trained}", "--iterations=2")
    plain, staged = program("caffe", *arguments), program("caffe", *arguments, "--stage=more")
    loss = [text for text in plain.messages() if text.startswith("Loss: ")]
    assert len(loss) == 1 and loss[0] in staged.messages()
    assert any(text.startswith("extra = ") for text in staged.messages())


def test_layers_that_only_write_run(program, trained):
    with open("net.prototxt", "a") as file:
        file.write(
            'layer { name: "file" type: "HDF5Output" bottom: "data" bottom: "label" '
            'hdf5_output_param { file_name: "written.h5" } include { stage: "more" } }'
        )
    words = ("--model=net.prototxt", f"--weights={trained}", "--iterations=2", "--stage=more")
    assert program("caffe", "test", *words).code == 0
    with h5py.File("written.h5") as file:
        assert file["data"].shape[0] == 6


def test_outputs_of_many_values(program, trained):
    with open("net.prototxt", "a") as file:
        file.write('layer { name: "t" type: "Tile" bottom: "data" top: "many" tile_param { tiles: 9 } }')
    ran = program("caffe", "test", "--model=net.prototxt", f"--weights={trained}", "--iterations=1")
    assert ran.messages("W") == ["output many has 4374 values, which will not be printed"]
    assert ran.code == 0 and not [text for text in ran.messages() if text.startswith("Batch 0, many")]


def test_errors(program, trained):
    def failed(*words):
        ran = program("caffe", "test", *words)
        assert ran.code == 134
        return ran.messages("F")[0]

    assert failed() == "--model: missing, a net's prototxt wanted"
    assert failed("--model=net.prototxt") == "--weights: missing, a caffemodel wanted"
    assert "no such file" in failed("--model=none.prototxt", "--weights=w").lower()
    assert "No such file" in failed("--model=net.prototxt", "--weights=w")
    words = ("--model=net.prototxt", f"--weights={trained}", "--iterations=0")
    assert failed(*words) == "--iterations=0: 1 or more wanted"
