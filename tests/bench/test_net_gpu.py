import pytest

from deeplab_caffe.bench import net_gpu
from deeplab_caffe.bench.net_gpu_report import net_gpu_chart, net_gpu_table
from deeplab_caffe.errors import DeepLabError

pytestmark = pytest.mark.slow


def test_bench_of_a_gpu_computes_what_it_says(model, tmp_path):
    result = net_gpu.run(str(model), [(33, 41)], [1, 2], 1, {}, "cpu")  # rehearsed where there is none
    rows = result["results"]
    assert [row["candidate"] for row in rows[:4]] == [
        "ours exact",
        "torch fp32 NCHW",
        "torch fp32 NHWC",
        "ours fp32",
    ]
    assert rows[0]["error"] == 0 and all(row["error"] < 3e-2 and row["median"] > 0 for row in rows)
    best = min(row["median"] for row in rows[1:3])
    assert rows[0]["ratio"] == best / rows[0]["median"]
    net_gpu_chart(result, tmp_path / "net.png")
    assert (tmp_path / "net.png").stat().st_size > 1000
    assert net_gpu_table(result).row_count == len(rows)


def test_some_precisions_within_a_limit_saved_as_they_come(model):
    saved = []
    arguments = str(model), [(33, 41)], [1, 2], 1, {}, "cpu"
    result = net_gpu.run(*arguments, ["bf16"], 1e-9, lambda r: saved.append(len(r["results"])))
    assert [row["candidate"] for row in result["results"]] == [
        "ours exact",
        "torch fp32 NCHW",
        "torch fp32 NHWC",
    ]
    assert saved == [3]
    with pytest.raises(DeepLabError, match="int8 given"):
        net_gpu.run(*arguments, ["int8"])
