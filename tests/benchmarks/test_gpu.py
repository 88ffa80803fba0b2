"""The command for a machine with a GPU: its steps name files that are there, and what is carried fits."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, str(ROOT / "benchmarks/gpu.py")]


@pytest.mark.parametrize("gpu", [True, False])
def test_files_that_steps_name_are_there(gpu, tmp_path):
    from stages.steps import STAGES, steps

    found = steps(tmp_path, gpu)
    named = [word for step in found for word in step.command if word.endswith(".py")]
    assert len(named) > 3 and all((ROOT / word).is_file() for word in named)
    assert [step.stage for step in found] == sorted(step.stage for step in found)
    assert {step.stage for step in found} == set(STAGES)
    logs = [step.log for step in found]
    assert len(set(logs)) == len(logs)


def test_every_file_with_tests_for_a_gpu_is_a_step(tmp_path):
    from stages.steps import steps

    named = {word for step in steps(tmp_path, True) for word in step.command}
    marked = [p for p in (ROOT / "tests").rglob("test_*.py") if "pytest.mark.gpu" in p.read_text()]
    marked = [str(p.relative_to(ROOT)) for p in marked if "benchmarks" not in p.parts]
    assert len(marked) > 6 and not [name for name in marked if name not in named]


def test_the_time_of_the_first_stages_is_bounded(tmp_path):
    from stages.steps import steps

    by_name = {(step.stage, step.name): step for step in steps(tmp_path, True)}
    card, build = by_name["a", "card"], by_name["a", "build"]
    assert build.required and card.beside and build.beside  # the first import of torch is slow
    assert by_name["b", "smoke"].limit <= 40
    assert list(by_name)[:3] == [("a", "card"), ("a", "build"), ("b", "smoke")]


def test_what_is_measured_on_a_gpu_is_rehearsed_by_the_emulator(tmp_path):
    from stages.steps import steps

    there, here = (
        {s.name: s.command for s in steps(tmp_path, gpu) if s.stage == "d"} for gpu in (True, False)
    )
    assert list(there) == list(here) == ["bench net", "bench crf", "bench conv exact", "bench conv bf16"]
    for name in there:
        options = [{word for word in found[name] if word.startswith("--")} for found in (there, here)]
        assert options[0] <= options[1] and "--device" in options[0], name
        assert "emulated_cuda" in here[name][2] and "emulated_cuda" not in there[name][2]


def test_steps_are_chosen_by_name_and_stage(tmp_path):
    from stages.steps import chosen, steps

    found = steps(tmp_path, True)
    assert {step.stage for step in chosen(found, "b,d", "")} == {"b", "d"}
    assert [step.name for step in chosen(found, "a", "card")] == ["build"]
    run = subprocess.run([*COMMAND, "--only", "z", "--list"], capture_output=True, text=True)
    assert run.returncode == 1 and run.stderr.count("\n") == 1 and "z: no such stage" in run.stderr


def test_what_is_carried_fits(tmp_path, monkeypatch):
    from stages import pack

    monkeypatch.setattr(pack, "ROOT", tmp_path)
    monkeypatch.setattr(pack, "tree_size", lambda: 20 << 20)
    reference = tmp_path / "reference"
    for part in ("nets/a/net.prototxt", "crf/b/x.npy", "recipe.py", "training/large.bin"):
        (reference / part).parent.mkdir(parents=True, exist_ok=True)
        (reference / part).write_bytes(b"x" * 1000)
    lines = pack.pack(reference, None)
    carried = tmp_path / pack.FOLDER
    assert sorted(p.name for p in (carried / "reference").iterdir()) == ["crf", "nets", "recipe.py"]
    assert "20.0 + carried 0.0 MiB of 64" in lines[0]
    assert lines[-1].endswith("--reference build/carried/reference")
    monkeypatch.setattr(pack, "tree_size", lambda: 64 << 20)
    with pytest.raises(SystemExit, match="too much"):
        pack.pack(reference, None)
    with pytest.raises(SystemExit, match="no nets"):
        pack.pack(tmp_path / "nowhere", None)


def test_what_was_built_elsewhere_is_carried_along(tmp_path, monkeypatch):
    from stages import pack, results

    monkeypatch.setattr(pack, "ROOT", tmp_path)
    monkeypatch.setattr(pack, "tree_size", lambda: 0)
    (tmp_path / "benchmarks/stages").mkdir(parents=True)
    (tmp_path / "benchmarks/stages/build.py").write_text(
        "import os, pathlib, sys; folder = pathlib.Path(sys.argv[1]); folder.mkdir(exist_ok=True)\n"
        "name = {'modules': 'modules.tar.gz', 'variants': 'variants.tar.xz'}[sys.argv[2]]\n"
        "(folder / name).write_text(os.environ['DEEPLAB_CAFFE_CUDA_ARCHS'])"
    )
    assert pack.pack(None, None, "90a")[-1].endswith("--resume build/carried/earlier")
    carried = tmp_path / pack.FOLDER / "earlier"
    assert {p.name: p.read_text() for p in carried.iterdir()} == dict.fromkeys(results.BUILT, "90a")
    there = results.Results(tmp_path / "out", tmp_path / "work", {"gpu": "H200"}, False, carried)
    assert not there.steps and sorted(p.name for p in there.work.iterdir()) == sorted(results.BUILT)
    with pytest.raises(SystemExit, match="no results there"):
        pack.pack(None, tmp_path / "nowhere")


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no checkout")
def test_the_working_tree_leaves_room_for_the_reference_cases():
    from stages.pack import LIMIT, tree_size

    assert tree_size() < LIMIT - (34 << 20)
