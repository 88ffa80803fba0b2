import json

import pytest

from deeplab_caffe.solver.log import TrainingLog, read_log
from deeplab_caffe.solver.loop import Loop


def test_log(make_solver, folder):
    log = TrainingLog("out/tiny")
    Loop(make_solver(test_iter="2", test_interval="4"), log).run()
    log.close()
    records = read_log("out/tiny_log.jsonl")
    assert [(r["iteration"], "test" in r) for r in records] == [
        *[(0, False), (0, True), (2, False), (4, False), (4, True), (6, False), (8, False), (8, True)]
    ]
    first, test = records[:2]
    assert first.keys() == {"iteration", "loss", "smoothed", "lr", "images_per_second"}
    assert test.keys() == {"iteration", "test", "loss", "accuracy"} and len(test["accuracy"]) == 3
    assert [r["lr"] for r in records if "lr" in r] == pytest.approx([0.01, 0.01, 0.005, 0.005, 0.0025])
    assert (folder / "out/tiny_loss.png").read_bytes()[:4] == b"\x89PNG"
    assert len(list((folder / "out/tiny_events").iterdir())) == 1


@pytest.mark.slow
def test_a_log_goes_on(tmp_path):
    log = TrainingLog(str(tmp_path / "x"))
    line = {"loss": 1.0, "smoothed": float("nan"), "lr": 0.1}
    for iteration in (0, 2, 4):
        log.write(line | {"iteration": iteration})
    log.close()
    with open(log.log, "a") as file:
        file.write('{"iteration": 6, "lo')
    again = TrainingLog(str(tmp_path / "x"), go_on=True)
    again.write(line | {"iteration": 2, "loss": 3.0})
    again.close()
    lines = log.log.read_text().splitlines()
    assert json.loads(lines[0])["smoothed"] is None
    # The line that a crash cut off takes nothing else along.
    assert [(r["iteration"], r["loss"]) for r in read_log(log.log)] == [(0, 1.0), (2, 3.0), (4, 1.0)]
    fresh = TrainingLog(str(tmp_path / "x"))
    fresh.close()
    assert read_log(log.log) == []
