"""A family of kernels that fails takes no other one along."""

import subprocess
import sys

import pytest
import torch


@pytest.fixture
def smoke(monkeypatch):
    """stages.smoke with three families; the second one fails."""
    from stages import smoke

    def good():
        yield "case", torch.ones(2), torch.ones(2)

    def fails():
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(smoke, "FAMILIES", {"first": good, "second": fails, "third": good})
    return smoke


def test_the_others_go_on_here(smoke, capsys):
    assert smoke.main([]) == 1
    out = capsys.readouterr().out
    assert "second: FAILED" in out and out.count("same bits") == 2
    assert smoke.main(["first", "third"]) == 0


def test_on_a_gpu_the_others_go_on_in_another_process(smoke, capsys, monkeypatch):
    commands = []
    monkeypatch.setattr(smoke, "GPU", True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA H200")
    monkeypatch.setattr(subprocess, "run", commands.append)
    assert smoke.main([]) == 1
    assert commands == [[sys.executable, smoke.__file__, "third"]]
    assert capsys.readouterr().out.count("same bits") == 1


def test_different_bits_are_a_failure(smoke, monkeypatch):
    monkeypatch.setitem(smoke.FAMILIES, "second", lambda: [("case", torch.ones(2), torch.zeros(2))])
    assert smoke.main(["second"]) == 1
