"""What nvcc made of the kernels: nothing contracted that is promised to be rounded twice, nothing spilled,
tensor-core instructions where they belong. Needs the module for sm_90a and cuobjdump (benchmarks/sass.py)."""

import importlib
import re
import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow

# They have no fma of their own, and no division, which is made of some.
ROUNDED_TWICE = (
    "splat_short_lists",
    "sum_lists",
    "blur_axes",
    "slice_points",
    "embed_points",
    "interp_kernel",
)
STAGE_DEPTH = 16


@pytest.fixture(scope="module")
def sass():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        return importlib.import_module("sass")
    finally:
        sys.path.pop(0)


@pytest.fixture(scope="module")
def module(sass):
    cuda = pytest.importorskip("deeplab_caffe._cuda")
    if "90a" not in cuda.TARGETS.split(","):
        pytest.skip("the CUDA kernels are not built for sm_90a")
    if sass.find_cuobjdump() is None:
        pytest.skip("needs cuobjdump")
    return Path(cuda.__file__)


@pytest.fixture(scope="module")
def counted(sass, module):
    return sass.instructions(module)


@pytest.fixture(scope="module")
def resources(sass, module):
    return sass.resources(module)


def named(kernels, pattern):
    found = {name: (kernels[name], match) for name in kernels if (match := re.search(pattern, name))}
    assert found, pattern
    return found.items()


def test_nothing_is_spilled(counted, resources):
    assert len(resources) > 100
    for name, used in resources.items():
        assert used["stack"] == used["local"] == 0, name
        assert counted[name]["LDL"] == counted[name]["STL"] == 0, name


@pytest.mark.parametrize("kernel", ROUNDED_TWICE)
def test_products_and_sums_are_rounded_each(counted, kernel):
    for name, (found, _) in named(counted, rf"\d{kernel}"):
        assert found["FFMA"] == 0 and found["FMUL"] > 0 and found["FADD"] > 0, name


def test_the_exact_convolution_fuses_what_its_chain_says_and_no_more(counted):
    """All but the epilogue's (which add_blocks has alone): k of a stage x rows x columns of a thread."""
    from deeplab_caffe import _cuda

    shapes = _cuda.conv_tile_shapes()
    epilogues = {m[1]: found["FFMA"] for _, (found, m) in named(counted, r"add_blocks\w*5ShapeILi(\d+)E")}
    for name, (found, match) in named(counted, r"convolve_tiles\w*5ShapeILi(\d+)E"):
        rows, positions, threads = shapes[int(match[1])]
        assert found["FFMA"] - epilogues[match[1]] == STAGE_DEPTH * rows * positions // threads, name


def test_the_crf_update_fuses_in_divisions_only(counted):
    """A division is 5 FFMA and the rare path 12; fused sums of 4 K labels would be 100 K more."""
    for name, (found, match) in named(counted, r"update_pointsILi(\d)E"):
        assert found["FFMA"] <= 6 * 4 * int(match[1]) + 16, name
        assert found["FMUL"] > 100 * int(match[1]) and found["FADD"] > 100 * int(match[1]), name


def test_tensor_cores_are_used_as_the_kernel_says(counted):
    for name, (found, _) in named(counted, r"\dtensor_core_wgmma"):
        assert found["HGMMA"] >= 4 and found["HMMA"] == 0 and found["UBLKCP"] > 0, name
    for name, (found, _) in named(counted, r"\dtensor_core_mma"):
        assert found["HMMA"] >= 24 and found["HGMMA"] == 0 and found["LDGSTS"] > 0, name


def test_clusters_copy_weights_for_both_blocks_and_fence_the_gpu_only_at_the_ends(sass, module):
    clusters = module.with_name(module.name.replace("_cuda.", "_cuda_cluster_weights."))
    if not clusters.exists():
        pytest.skip("needs the variant (DEEPLAB_CAFFE_VARIANTS=cluster_weights)")
    used, found = sass.resources(clusters), sass.instructions(clusters, whole=True)
    pairs = named(found, r"\dtensor_core_wgmmaI9WgmmaTileIL14TensorCoreType(\d)(?:ELi\d+){4}ELi2E")
    assert len(pairs) == 6 * 4 - 1
    for name, (counted, match) in pairs:
        parts = 2 if match[1] == "3" else 1  # fp32's weights
        assert counted["UBLKCP.S.G.MULTICAST"] % parts == 0 < counted["UBLKCP.S.G.MULTICAST"], name
        assert counted["UBLKCP.S.G"] == 0 and counted["LDL"] == counted["STL"] == 0, name
        assert counted["UCGABAR_ARV"] == counted["UCGABAR_WAIT"] == 2, name
        # Arrivals at the other block's barriers are no fences of the whole GPU.
        assert counted["MEMBAR.ALL.GPU"] == counted["CCTL.IVALL"] == 2, name
        assert used[name]["stack"] == used[name]["local"] == 0, name
    alone = named(found, r"\dtensor_core_wgmmaI9WgmmaTileIL14TensorCoreType(\d)(?:ELi\d+){4}ELi1E")
    for name, (counted, _) in alone:
        assert counted["UBLKCP.S.G.MULTICAST"] == counted["UCGABAR_ARV"] == counted["MEMBAR.ALL.GPU"] == 0, (
            name
        )


def test_the_page_has_the_resources(module):
    page = runpy.run_path(str(ROOT / "docs/cuda.py"))
    text = page["PAGE"].read_text()
    begin, end = text.index(page["BEGIN"]) + len(page["BEGIN"]), text.index(page["END"])
    assert text[begin:end].strip() == page["tables"](module)
