import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def load(name):
    """A module of the build, which is no part of the package."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, ROOT / f"{name}.py")
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.fixture
def build_cuda():
    return load("build_cuda")


@pytest.fixture
def build_ninja(build_cuda):
    return load("build_ninja")


@pytest.fixture(autouse=True)
def _no_wishes(monkeypatch):
    for name in (
        "CXX",
        "CXXFLAGS",
        "LDFLAGS",
        "DEEPLAB_CAFFE_CUDA",
        "DEEPLAB_CAFFE_CUDA_ARCHS",
        "DEEPLAB_CAFFE_SANITIZE",
        "DEEPLAB_CAFFE_VARIANTS",
    ):
        monkeypatch.delenv(name, raising=False)
