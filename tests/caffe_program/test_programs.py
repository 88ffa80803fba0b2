import sys
from pathlib import Path

import pytest

from deeplab_caffe.caffe_program import PROGRAMS, main
from deeplab_caffe.caffe_program.programs import DEPRECATED
from deeplab_caffe.commands import main as command_line


def test_usage(program):
    ran = program("caffe")
    assert ran.code == 0 and "device_query" in ran.out
    ran = program("caffe", "--help")
    assert ran.code == 1 and "-sigint_effect" in ran.out and "-log_dir" in ran.out
    for name in set(PROGRAMS) - set(DEPRECATED) - {"caffe"}:
        ran = program(name)
        assert ran.code == 1 and f"{name}: {name} " in ran.out and not ran.err


def test_exit_codes(program):
    ran = program("caffe", "train", "--bogus=1")
    assert ran.code == 1 and ran.err == "ERROR: unknown command line flag 'bogus'\n"
    ran = program("caffe", "fly")
    assert ran.code == 134
    assert ran.messages("F") == ["Unknown action: fly; there are device_query, save, test, time, train"]
    ran = program("caffe", "--version")
    assert ran.code == 0 and ran.out.startswith("caffe version 1.0.0 (deeplab_caffe ")


def test_a_variable_that_makes_no_sense(program, monkeypatch):
    monkeypatch.setenv("GLOG_minloglevel", "low")
    assert program("caffe", "train").code == 1


@pytest.mark.parametrize("name", DEPRECATED)
def test_programs_that_caffe_put_aside(program, name):
    ran = program(name, "some", "arguments")
    assert ran.code == 134 and ran.messages("F")[0].startswith("gone; use caffe ")


def test_console_scripts(folder, monkeypatch, capsys):
    tomllib = pytest.importorskip("tomllib")
    scripts = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]["scripts"]
    names = {name for name in scripts if scripts[name] == "deeplab_caffe.caffe_program:main"}
    assert names == {f"dlc-{name}" for name in set(PROGRAMS) - set(DEPRECATED)}
    monkeypatch.setattr(sys, "argv", ["/bin/dlc-convert_imageset", "--help"])
    assert main() == 1 and "-encode_type" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["/bin/dlc-other"])
    assert main() == 2 and "no program is named other" in capsys.readouterr().err


def test_from_the_command_line(folder, capsys):
    assert command_line(["caffe", "--help"]) == 1 and "-solver" in capsys.readouterr().out
    assert command_line(["caffe", "compute_image_mean", "--help"]) == 1
    assert "-backend" in capsys.readouterr().out
    assert command_line(["caffe", "-solver", "none.prototxt", "train", "-gpu", "all"]) == 134
    assert "none.prototxt: No such file" in capsys.readouterr().err


def test_a_package_that_is_missing(program, monkeypatch):
    monkeypatch.delitem(sys.modules, "deeplab_caffe.caffe_program.convert_imageset", raising=False)
    monkeypatch.setitem(sys.modules, "PIL", None)
    ran = program("convert_imageset", "a", "b", "c")
    assert ran.code == 2
    assert ran.err == "error: dlc-convert_imageset needs pillow: pip install 'deeplab_caffe[cli]'\n"
