import re
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "ops.md"


@pytest.mark.slow
def test_the_examples_run(capsys):
    names = {
        "image": torch.rand(20, 30, 3) * 255,
        "values": torch.rand(20, 30, 4),
        "features": torch.rand(50, 4),
        "rows": torch.rand(50, 2),
    }
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        exec(block.replace("min_run_time=2", "min_run_time=0.1"), names)
    assert names["y"].shape == (1, 1024, 65, 65)
    assert names["smooth"].shape == (20, 30, 4) and names["means"].shape == (50, 2)
    assert "atrous_conv2d" in capsys.readouterr().out


@pytest.mark.slow
def test_the_five_lines_of_the_benchmarks_run(capsys):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/benchmarks.md").read_text(), re.DOTALL)
    (block,) = [block for block in blocks if "Timer" in block]
    assert len(list(filter(None, block.splitlines()))) == 5
    exec(block, {})
    assert "rate=12" in capsys.readouterr().out
