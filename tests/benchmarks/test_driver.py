"""Steps end within their limits, results are whole whenever the driver is killed, a second call goes on."""

import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

LETTERS = "abcdefg"
# A step writes its result, then a line to its log; that of HANGS goes on until it is killed.
STEP = """
import os, sys, time
letter, folder = sys.argv[1:]
open(os.path.join(folder, letter + ".txt"), "a").write("result\\n")
print("tests/x.py::test_x", "SKIPPED" if letter == os.environ.get("SKIPS") else "PASSED", flush=True)
time.sleep(60 if letter == os.environ.get("HANGS") else 0)
sys.exit(letter == os.environ.get("FAILS"))
"""
DRIVER = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parents[2] / "benchmarks")!r})
from stages.driver import Driver
from stages.process import Step
from stages.results import Results
work, out, budget = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
steps = [
    Step(a, f"step {{a}}", (sys.executable, "-c", {STEP!r}, a, str(work)), 30, 0, a in "cd", a == "a")
    for a in {LETTERS!r}
]
results = Results(out, work, {{"gpu": None}}, False, None)
Driver(results, budget).run(steps)
"""


def command(tmp_path, budget=60.0):
    return [sys.executable, "-c", DRIVER, str(tmp_path / "work"), str(tmp_path / "out"), str(budget)]


def states(tmp_path):
    steps = json.loads((tmp_path / "out/gpu.json").read_text())["steps"]
    return {entry["stage"]: entry["state"] for entry in steps}


def archived(tmp_path):
    """Names and contents in the archive, which is read to its end."""
    with tarfile.open(tmp_path / "out/results.tar.gz") as archive:
        return {member.name: archive.extractfile(member).read().decode() for member in archive}


def assert_few_files(tmp_path):
    assert len([p for p in (tmp_path / "out").rglob("*") if not p.name.endswith(".part")]) <= 4
    assert len(list((tmp_path / "out").iterdir())) <= 8


@pytest.mark.slow
@pytest.mark.parametrize("letter", LETTERS)
def test_results_are_complete_after_a_kill_in_any_stage(letter, tmp_path):
    driver = subprocess.Popen(
        command(tmp_path), env=os.environ | {"HANGS": letter}, stdout=subprocess.DEVNULL
    )
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            if states(tmp_path)[letter] == "running" and (tmp_path / f"work/{letter}.txt").read_text():
                break
        except (OSError, KeyError):
            pass
        time.sleep(0.02)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    found, files = states(tmp_path), archived(tmp_path)
    assert_few_files(tmp_path)
    assert found[letter] == "running"
    for before in LETTERS[: LETTERS.index(letter)]:
        if found[before] != "running":  # c and d run beside each other
            assert found[before] == "passed" and files[f"{before}.txt"] == "result\n"
            assert "PASSED" in files[f"logs/{before}-step_{before}.log"]
    assert set("".join(found)) <= set(LETTERS[: LETTERS.index(letter) + 1] + "d" * (letter == "c"))
    subprocess.run(command(tmp_path), check=True, capture_output=True)
    assert states(tmp_path) == dict.fromkeys(LETTERS, "passed")
    files = archived(tmp_path)
    again = {a for a in LETTERS if files[f"{a}.txt"].count("result") > 1}
    assert letter in again and again <= {a for a, state in found.items() if state == "running"}
    assert_few_files(tmp_path)


@pytest.mark.slow
def test_the_budget_is_kept_and_what_is_left_out_is_named(tmp_path):
    begun = time.monotonic()
    hanging = os.environ | {"HANGS": "b"}
    subprocess.run(command(tmp_path, 15), env=hanging, check=True, capture_output=True)
    assert time.monotonic() - begun < 15
    found = states(tmp_path)
    assert found["a"] == "passed" and found["b"] == "interrupted"
    assert {found[letter] for letter in "cdefg"} == {"left out"}
    entry = json.loads((tmp_path / "out/gpu.json").read_text())["steps"][1]
    log = (tmp_path / "work" / entry["log"]).read_text()
    assert "KeyboardInterrupt" in log and entry["tests"] == {"passed": 1}
    page = (tmp_path / "out/gpu.html").read_text()
    assert "left out" in page and "interrupted" in page


def test_a_step_has_a_limit_of_its_own(tmp_path):
    from stages.process import Running, Step

    step = Step("a", "endless", (sys.executable, "-c", "import time; time.sleep(60)"), 1)
    running = Running(step, 1, tmp_path)
    while not running.ended():
        time.sleep(0.02)
    assert running.state == "out of time" and running.seconds < 15


def test_what_all_needs_stops_the_rest(tmp_path):
    run = subprocess.run(command(tmp_path), env=os.environ | {"FAILS": "a"}, capture_output=True, text=True)
    found = states(tmp_path)
    assert found.pop("a") == "failed" and set(found.values()) == {"left out"}, run.stdout


def test_another_step_may_fail(tmp_path):
    subprocess.run(command(tmp_path), env=os.environ | {"FAILS": "b"}, check=True, capture_output=True)
    found = states(tmp_path)
    assert found.pop("b") == "failed" and set(found.values()) == {"passed"}


def test_skipped_tests_show_nothing(tmp_path):
    subprocess.run(command(tmp_path), env=os.environ | {"SKIPS": "c"}, check=True, capture_output=True)
    assert states(tmp_path) == dict.fromkeys(LETTERS, "passed") | {"c": "skipped"}


def test_an_interrupt_leaves_results(tmp_path):
    with subprocess.Popen(
        command(tmp_path), env=os.environ | {"HANGS": "b"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as driver:
        while not (tmp_path / "work/b.txt").exists():
            time.sleep(0.02)
        driver.send_signal(signal.SIGINT)
        driver.communicate()
    assert states(tmp_path) == {"a": "passed", "b": "interrupted"}


def test_a_program_that_is_not_there(tmp_path):
    from stages.process import Running, Step

    running = Running(Step("a", "none", ("/nowhere/tool",), 5), 5, tmp_path)
    assert running.ended() and running.state == "failed" and running.status == 127
    assert "No such file" in (tmp_path / running.step.log).read_text()


def test_results_go_on_on_another_machine(tmp_path):
    subprocess.run(command(tmp_path, 60), check=True, capture_output=True)
    from stages.process import Step
    from stages.results import Results

    there = Results(tmp_path / "new", tmp_path / "elsewhere", {"gpu": None}, False, tmp_path / "out")
    assert there.state(Step("c", "step c", (), 1)) == "passed"
    assert (tmp_path / "elsewhere/c.txt").read_text() == "result\n"


@pytest.mark.parametrize("where", ["same work", "resumed"])
def test_a_rehearsal_is_no_result_of_a_gpu(where, tmp_path):
    subprocess.run(command(tmp_path, 60), check=True, capture_output=True)
    from stages.results import Results

    (tmp_path / "work/modules.tar.gz").write_text("built")
    work = tmp_path / ("work" if where == "same work" else "new")
    there = Results(tmp_path / "there", work, {"gpu": "NVIDIA H200"}, False, tmp_path / "out")
    assert not there.steps and not (work / "c.txt").exists()
    assert (work / "modules.tar.gz").exists() == (where == "same work")
