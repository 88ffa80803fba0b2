import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def stages_can_be_imported(monkeypatch):
    """`from stages... import` as benchmarks/gpu.py does it."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    yield
    for name in [name for name in sys.modules if name == "stages" or name.startswith("stages.")]:
        del sys.modules[name]
