import re

import pytest

from deeplab_caffe.layers.parts import permission

LINE = re.compile(r" *(\w+)\t(forward|backward): (\S+) ms\.")


@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
def test_times_of_the_layers(program, phase):
    ran = program("caffe", "time", "--model=net.prototxt", f"--phase={phase}", "--iterations=2")
    assert ran.code == 0
    messages = ran.messages()
    times = {(m[1], m[2]): float(m[3]) for text in messages if (m := LINE.fullmatch(text))}
    names = ["data", "conv", "relu", "score", "loss"] + ["accuracy"] * (phase == "TEST")
    assert list(times) == [(name, way) for name in names for way in ("forward", "backward")]
    assert all(times[name, "forward"] > 0 for name in names)
    backwards = {name for name in names if times[name, "backward"] > 0}
    assert backwards == {"conv", "relu", "score", "loss"}
    for way in ("Forward", "Backward"):
        (line,) = [text for text in messages if text.startswith(f"Average {way} pass: ")]
        total = sum(value for (_, this), value in times.items() if this == way.lower())
        assert float(line.split()[-2]) == pytest.approx(total, rel=1e-3)
    assert (
        len(
            [text for text in messages if re.fullmatch(r"Iteration: \d forward-backward time: \S+ ms.", text)]
        )
        == 2
    )


def test_a_net_with_inputs(program, folder):
    (folder / "deploy.prototxt").write_text(
        'input: "data" input_shape { dim: 1 dim: 2 dim: 8 dim: 8 }'
        'layer { name: "c" type: "Convolution" bottom: "data" top: "c" convolution_param { num_output: 1 '
        "kernel_size: 1 } }"
    )
    ran = program("caffe", "time", "--model=deploy.prototxt", "--iterations=1")
    assert ran.code == 0 and "Initial loss: 0" in ran.messages()


def test_the_loss_is_the_nets(program, trained):
    words = ("--model=net.prototxt", f"--weights={trained}", "--iterations=1")
    tested = program("caffe", "test", *words).messages()
    timed = program("caffe", "time", *words, "--phase=TEST").messages()
    (loss,) = [text.removeprefix("Loss: ") for text in tested if text.startswith("Loss: ")]
    assert f"Initial loss: {loss}" in timed


def test_errors(program):
    for words, message in (
        (["--phase=BOTH"], "--phase=BOTH: TRAIN or TEST wanted"),
        (["--iterations=0"], "--iterations=0: 1 or more wanted"),
    ):
        ran = program("caffe", "time", "--model=net.prototxt", *words)
        assert ran.code == 134 and ran.messages("F") == [message]


def test_python_layers_must_be_allowed(program, folder, monkeypatch):
    (folder / "user_layers.py").write_text(
        "import caffe\n"
        "class Copy(caffe.Layer):\n"
        "    def setup(self, bottom, top): pass\n"
        "    def reshape(self, bottom, top): top[0].reshape(*bottom[0].shape)\n"
        "    def forward(self, bottom, top): top[0].data[...] = bottom[0].data\n"
    )
    net = 'input: "x" input_shape { dim: 2 } layer { name: "copy" type: "Python" bottom: "x" top: "y" '
    (folder / "py.prototxt").write_text(net + 'python_param { module: "user_layers" layer: "Copy" } }')
    monkeypatch.setattr(permission, "_allowed", False)
    monkeypatch.syspath_prepend(folder)
    call = "caffe", "time", "--model=py.prototxt", "--iterations=1", "--phase=TEST"
    refused = program(*call)
    assert refused.code and "layer 'copy' (Python): type: it runs the Python code of" in refused.err
    assert program(*call, "--allow-python-layers").code == 0
