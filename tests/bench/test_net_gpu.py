import pytest

from deeplab_caffe.bench import net_gpu
from deeplab_caffe.bench.net_gpu_report import net_gpu_chart, net_gpu_table

pytestmark = pytest.mark.slow


def test_bench_of_a_gpu_computes_what_it_says(model, tmp_path):
    result = net_gpu.run(str(model), [(33, 41)], [1, 2], 1, {}, "cpu")  # rehearsed where there is none
    rows = result["results"]
    assert [row["candidate"] for row in rows[:4]] == [
        "ours exact",
        "ours fp32",
        "torch fp32 NCHW",
        "torch fp32 NHWC",
    ]
    assert rows[0]["error"] == 0 and all(row["error"] < 3e-2 and row["median"] > 0 for row in rows)
    best = min(row["median"] for row in rows[2:4])
    assert rows[0]["ratio"] == best / rows[0]["median"]
    net_gpu_chart(result, tmp_path / "net.png")
    assert (tmp_path / "net.png").stat().st_size > 1000
    assert net_gpu_table(result).row_count == len(rows)
