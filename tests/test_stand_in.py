"""A package of ours under another's top-level name; its scripts: test_install.py of each package."""

import sys
import types

import pytest

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.stand_in import StandIn


@pytest.fixture
def ours(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    return "deeplab_caffe.pydensecrf"


def test_aliases(ours, tmp_path):
    import deeplab_caffe.pydensecrf

    alias = types.ModuleType("elsewhere")
    StandIn("another_name", ours, tmp_path).install(["utils"], {"deep.er": alias})
    import another_name.utils

    assert another_name is deeplab_caffe.pydensecrf
    assert another_name.utils.__name__ == f"{ours}.utils"
    assert sys.modules["another_name.deep.er"] is alias


def test_taken(ours, tmp_path):
    import deeplab_caffe.pydensecrf  # noqa: F401

    sys.modules["another_name"] = types.ModuleType("another_name")
    with pytest.raises(DeepLabError, match="another_name was imported before from None: call install"):
        StandIn("another_name", ours, tmp_path).install([])
