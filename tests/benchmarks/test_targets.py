"""What was measured is set beside the targets."""

import json

import pytest


def conv_row(layer, candidate, ratio, tflops=60.0, dilated=True):
    return {
        "layer": layer,
        "size": 513,
        "batch": 8,
        "candidate": candidate,
        "ratio": ratio,
        "needed_tflops": tflops,
        "dilated": dilated,
    }


def net_row(candidate, milliseconds, batch):
    return {"candidate": candidate, "size": [513, 513], "batch": batch, "median": milliseconds / 1e3}


@pytest.fixture
def met(tmp_path):
    """met(conv, net, crf, steps): whether each target is, by the beginning of its name."""

    def write(conv=(), net=(), crf=(), steps=()):
        from stages.targets import targets

        for precision in "exact", "bf16":
            (tmp_path / "headline" / precision).mkdir(parents=True, exist_ok=True)
            own = [row for row in conv if precision in row["candidate"]]
            (tmp_path / f"headline/{precision}/conv_gpu.json").write_text(json.dumps({"results": own}))
        for name, rows in (("net_largefov_gpu", net), ("crf_gpu", crf)):
            (tmp_path / f"headline/{name}.json").write_text(json.dumps({"results": list(rows)}))
        return {row["target"]: (row["met"], row["measured"]) for row in targets(tmp_path, list(steps))}

    return write


def test_nothing_measured(met, tmp_path):
    from stages.targets import targets

    assert {row["met"] for row in targets(tmp_path / "nowhere", [])} == {None}
    assert {value for value in met().values()} == {(None, None)}


def test_the_worst_layer_decides(met):
    rows = [
        conv_row("conv5 rate 2", "ours exact", 1.5),
        conv_row("fc6 rate 12", "ours exact", 1.1, tflops=40.0),
        conv_row("fc7", "ours exact", 0.5, tflops=10.0, dilated=False),
        conv_row("aspp rate 18", "ours bf16", 2.5),
        conv_row("aspp rate 6", "ours bf16", 1.0),
        conv_row("aspp rate 6", "torch bf16 NHWC", 1.0),
    ]
    found = met(conv=rows)
    assert found["exact, times cuDNN's best strict float32"] == (
        False,
        "1.10 (fc6 rate 12, 513, batch 8; of 2)",
    )
    assert found["exact, layers of 512 channels, of 67 TFLOP/s"][0] is False
    assert found["tensor cores, dilated layers, times cuDNN"][0] is True
    assert found["tensor cores, rates 18 and 24, times cuDNN"] == (
        True,
        "2.50 (aspp rate 18, 513, batch 8, bf16; of 1)",
    )


def test_times_are_those_of_an_image(met):
    found = met(
        net=[net_row("ours exact", 42.0, 8), net_row("ours exact", 7.0, 1), net_row("ours bf16", 1.3, 1)],
        crf=[{"size": [513, 513, 21, 1, "photo"], "median": 2.5e-3, "same_bits": False}],
    )
    assert found["LargeFOV 513x513, exact, an image"] == (True, "5.25 ms")
    assert found["LargeFOV 513x513, bf16, an image"] == (False, "1.30 ms")
    assert found["CRF 513x513x21, an image"] == (True, "2.50 ms")
    assert found["CRF, bits"] == (False, "others")


def test_failing_tests_of_bits(met):
    steps = [{"stage": "c", "tests": {"passed": 7}}, {"stage": "e", "tests": {"failed": 1}}, {"stage": "c"}]
    assert met(steps=steps)["tests of the exact bits that fail"] == (True, "0 (of 7)")
    steps[0]["tests"]["error"] = 1
    assert met(steps=steps)["tests of the exact bits that fail"] == (False, "1 (of 8)")
