"""Which GPUs are built for: what the user asks, the GPUs at hand, or none."""

from pathlib import Path

import pytest

NVCC = Path("/cuda/bin/nvcc")


@pytest.fixture
def machine(build_cuda, monkeypatch):
    """Tells what the machine has: machine(present=..., known=...)."""

    def tell(present=(), known=("80", "86", "89", "90", "100", "120")):
        monkeypatch.setattr(build_cuda, "present_gpus", lambda: list(present))
        monkeypatch.setattr(build_cuda, "known_to", lambda nvcc: set(known))

    tell()
    return tell


def wish(monkeypatch, switch="", archs=""):
    monkeypatch.setenv("DEEPLAB_CAFFE_CUDA", switch)
    monkeypatch.setenv("DEEPLAB_CAFFE_CUDA_ARCHS", archs)


def test_without_a_gpu_nothing_and_a_word_how_to_ask(build_cuda, machine):
    assert build_cuda.choose_targets(NVCC) == []
    message = build_cuda.notice(NVCC, [])
    assert "\n" not in message
    assert "DEEPLAB_CAFFE_CUDA=1" in message and "DEEPLAB_CAFFE_CUDA_ARCHS=" in message


def test_the_gpus_at_hand(build_cuda, machine):
    machine(present=["80", "90a"])
    assert build_cuda.choose_targets(NVCC) == ["80", "90a"]
    assert build_cuda.notice(NVCC, ["80"]) is None


def test_all_where_asked_for(build_cuda, machine, monkeypatch):
    wish(monkeypatch, switch="1")
    assert build_cuda.choose_targets(NVCC) == ["80", "86", "89", "90a", "100", "120", "120+PTX"]
    machine(known=["80", "86", "90"])
    assert build_cuda.choose_targets(NVCC) == ["80", "86", "90a", "90a+PTX"]


@pytest.mark.parametrize("archs", ["80,90a+PTX", "80 90a+PTX", "80; 90a+PTX"])
def test_those_named(build_cuda, machine, monkeypatch, archs):
    wish(monkeypatch, archs=archs)
    assert build_cuda.choose_targets(NVCC) == ["80", "90a+PTX"]


def test_never(build_cuda, machine, monkeypatch):
    machine(present=["90a"])
    wish(monkeypatch, switch="0", archs="90a")
    assert build_cuda.choose_targets(NVCC) == []
    assert build_cuda.notice(NVCC, []) is None


def test_without_nvcc(build_cuda, machine, monkeypatch):
    wish(monkeypatch, archs="90a")
    assert build_cuda.choose_targets(None) == []
    assert "No nvcc" in build_cuda.notice(None, [])
    wish(monkeypatch, switch="1")
    with pytest.raises(SystemExit, match="no nvcc on PATH"):
        build_cuda.choose_targets(None)


def test_what_nvcc_does_not_know_is_one_line(build_cuda, machine, monkeypatch):
    wish(monkeypatch, archs="12")
    with pytest.raises(SystemExit, match="does not know sm_12, only 80, 86, 89, 90, 100, 120;") as error:
        build_cuda.choose_targets(NVCC)
    assert "\n" not in str(error.value)
    wish(monkeypatch, switch="1")
    machine(known=["52"])
    with pytest.raises(SystemExit, match="too old"):
        build_cuda.choose_targets(NVCC)


def test_flags(build_cuda):
    assert build_cuda.target_flags(["90a", "120+PTX"]) == [
        "-gencode=arch=compute_90a,code=sm_90a",
        "-gencode=arch=compute_120,code=compute_120",
    ]


def test_the_runtime_is_found(build_cuda, tmp_path):
    library = tmp_path / "targets/x86_64-linux/lib"
    library.mkdir(parents=True)
    (library / "libcudart_static.a").touch()
    assert f"-L{library}" in build_cuda.link_flags(tmp_path / "bin/nvcc")
