import json
import os
import subprocess
import sys

import numpy as np
import pytest
import typer

import deeplab_caffe
from deeplab_caffe.commands import main, options
from deeplab_caffe.errors import DeepLabError
from tests import fresh


def test_help_lists_the_verbs(capsys):
    assert main(["--help"]) == 0
    assert "version" in capsys.readouterr().out


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"deeplab-caffe {deeplab_caffe.__version__}\n"


@pytest.mark.slow
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_verbs_and_options(shell):
    """What the line that --install-completion puts into a shell's settings asks for."""
    for words, wanted in (("ver", "version"), ("predict --wei", "--weights")):
        line = f"deeplab-caffe {words}"
        asked = {
            "_DEEPLAB_CAFFE_COMPLETE": f"complete_{shell}",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words.split())),
            "_TYPER_COMPLETE_ARGS": line,
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        }
        command = [sys.executable, "-m", "deeplab_caffe"]
        done = subprocess.run(command, env=os.environ | asked, capture_output=True, text=True, check=False)
        assert wanted in done.stdout, (done.stdout, done.stderr)


@pytest.mark.parametrize("arguments", [["nope"], ["version", "--nope"], ["version", "extra"]])
def test_usage_errors_are_one_line(arguments, capsys):
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ") and captured.err.count("\n") == 1


def test_duplicate_verb_raises():
    with pytest.raises(ValueError, match="registered twice"):
        options.verb("version")(lambda: None)


def test_errors_become_one_line_and_code_2(capsys, monkeypatch):
    app = typer.Typer()
    monkeypatch.setattr("deeplab_caffe.commands.app", app)

    @app.command()
    def fail(kind: str):
        raise {"own": DeepLabError("bad\nnews"), "os": OSError("disk full"), "key": KeyboardInterrupt()}[kind]

    assert main(["own"]) == 2
    assert capsys.readouterr().err == "error: bad\\nnews\n"
    assert main(["os"]) == 2
    assert capsys.readouterr().err == "error: disk full\n"
    assert main(["key"]) == 130
    assert capsys.readouterr().err.strip() == "interrupted"


def test_parse_bytes():
    given = {"0": 0, "123": 123, "500K": 512000, "64m": 64 << 20, "1G": 1 << 30}
    assert {text: options.parse_bytes(text, "--x") for text in given} == given
    assert options.parse_bytes(None, "--x") is None
    for text in ("", "M", "-1", "1.5M", "1T", "\u0663", "9" * 30):
        with pytest.raises(DeepLabError, match="--x .*: a number of bytes wanted"):
            options.parse_bytes(text, "--x")


def test_parse_variables():
    assert options.parse_variables(["A=1", "B=x=y", "C="]) == {"A": "1", "B": "x=y", "C": ""}
    assert options.parse_variables(None) == {}
    for bad in ("A", "=1"):
        with pytest.raises(DeepLabError, match="NAME=VALUE"):
            options.parse_variables([bad])


@pytest.mark.slow
def test_allow_python_layers(tmp_path):
    """A net runs nobody's code unless it is told to."""
    (tmp_path / "user_layers.py").write_text(
        "import caffe\n"
        "class Ten(caffe.Layer):\n"
        "    def setup(self, bottom, top): pass\n"
        "    def reshape(self, bottom, top): top[0].reshape(*bottom[0].shape)\n"
        "    def forward(self, bottom, top): top[0].data[...] = 10 + bottom[0].data\n"
    )
    net = 'input: "x" input_shape { dim: 2 } layer { name: "ten" type: "Python" bottom: "x" top: "y" '
    (tmp_path / "net.prototxt").write_text(net + 'python_param { module: "user_layers" layer: "Ten" } }')
    np.save(tmp_path / "x.npy", np.zeros(2, np.float32))
    paths = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    command = ["-m", "deeplab_caffe", "forward", "-m", "net.prototxt", "--input", "x.npy", "--json"]
    for allowed in False, True:
        words = command + ["--allow-python-layers"] * allowed
        done = fresh.run(*words, cwd=tmp_path, env=os.environ | {"PYTHONPATH": paths})
        if allowed:
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout)[0]["y"]["values"] == [10, 10]
        else:
            assert done.returncode == 2 and done.stderr.count("\n") == 1
            assert "layer 'ten' (Python): type: it runs the Python code of user_layers.Ten" in done.stderr
