import pytest

from deeplab_caffe.commands import main

NET = """name: "copy"
input: "data" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8
layers { name: "scores" type: ELTWISE bottom: "data" bottom: "data" top: "scores"
  eltwise_param { operation: MAX } }
"""


@pytest.fixture
def net(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(NET)
    return path


@pytest.fixture
def refused(capsys):
    """Runs a command line that must end with one short printable line on stderr and code 2; the line."""

    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        line = captured.err
        assert (code, captured.out) == (2, ""), (code, line)
        assert line.startswith("error: ") and line.count("\n") == 1 and line[:-1].isprintable(), line
        assert len(line) < 1100
        return line

    return run
