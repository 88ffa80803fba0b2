"""Modules that were built before are used where they fit and load, else they are built."""

import sysconfig

import pytest

SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")
# A build that leaves what it was asked for in the modules.
SETUP = f"""
import os, pathlib
for name in ("_C", "_cuda", "_cuda_fused_blur"):
    built = pathlib.Path("deeplab_caffe") / (name + {SUFFIX!r})
    built.write_text(os.environ["DEEPLAB_CAFFE_CUDA_ARCHS"] + " " + os.environ.get("NVCC_APPEND_FLAGS", ""))
with open("builds", "a") as file:
    file.write("built\\n")
"""


@pytest.fixture
def build(tmp_path, monkeypatch):
    """stages.build with sources of its own; `build.loads` says whether modules can be loaded."""
    from stages import build

    (tmp_path / "deeplab_caffe/formats").mkdir(parents=True)
    (tmp_path / "deeplab_caffe/formats/caffe_pb2.py").touch()
    (tmp_path / "setup.py").write_text(SETUP)
    monkeypatch.setattr(build, "ROOT", tmp_path)
    monkeypatch.setattr(build, "PACKAGE", tmp_path / "deeplab_caffe")
    monkeypatch.setattr(build, "loads", [], raising=False)
    monkeypatch.setattr(build, "load", lambda modules: build.loads.append(modules) or len(build.loads) != 2)
    monkeypatch.setattr(build.build_ninja, "VARIANTS", {"fused_blur": ()})
    monkeypatch.setenv(build.ARCHS, "90a")
    monkeypatch.delenv("NVCC_APPEND_FLAGS", raising=False)
    return build


def builds(tmp_path):
    return (tmp_path / "builds").read_text().count("built")


def test_modules_are_built_once(build, tmp_path):
    assert build.main(tmp_path / "kept") == 0
    module = tmp_path / f"deeplab_caffe/_cuda{SUFFIX}"
    assert module.read_text() == "90a -lineinfo"
    module.unlink()
    build.loads.append("one more")  # the second one fails
    assert build.main(tmp_path / "kept") == 0
    assert builds(tmp_path) == 1 and module.exists() and build.loads[-1] == ["_cuda"]


def test_what_does_not_load_is_built(build, tmp_path):
    assert build.main(tmp_path / "kept") == 0
    assert build.main(tmp_path / "kept") == 0
    assert builds(tmp_path) == 2


@pytest.mark.parametrize("change", ["sources", "targets"])
def test_what_is_made_of_something_else_is_built(build, tmp_path, monkeypatch, change):
    assert build.main(tmp_path / "kept") == 0
    if change == "sources":
        (tmp_path / "setup.py").write_text(SETUP + "\n")
    else:
        monkeypatch.setenv(build.ARCHS, "100")
    build.loads.append("one more")
    assert build.main(tmp_path / "kept") == 0
    assert builds(tmp_path) == 2


def test_variants_are_kept_by_themselves(build, tmp_path):
    assert build.main(tmp_path / "kept", "variants") == 0
    assert build.loads == [["_cuda_fused_blur"]]
    assert [p.name for p in (tmp_path / "kept").iterdir()] == [build.KEPT["variants"]]
    from stages import results

    assert tuple(build.KEPT.values()) == results.BUILT


def test_a_build_that_fails_is_an_error(build, tmp_path):
    (tmp_path / "setup.py").write_text("raise SystemExit(3)")
    assert build.main(tmp_path / "kept") == 1 and not (tmp_path / "kept").exists()
