import torch

from deeplab_caffe import ops
from deeplab_caffe.commands import main


def test_version(capsys):
    assert main(["version"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("deeplab_caffe ") and f", torch {torch.__version__}, " in said
    assert f"CPU kernels {ops.isa()}, CUDA kernels " in said


def test_version_says_what_is_wrong_with_a_forced_instruction_set(monkeypatch, capsys):
    monkeypatch.setattr(
        "deeplab_caffe._C.isa", lambda: (_ for _ in ()).throw(ValueError("DEEPLAB_CAFFE_ISA"))
    )
    assert main(["version"]) == 2
    assert capsys.readouterr().err == "error: DEEPLAB_CAFFE_ISA\n"
