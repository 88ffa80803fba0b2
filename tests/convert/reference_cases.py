"""The reference cases of DeepLab v3 and v3+: the program's outputs for variables drawn from a seed."""

import json
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parents[2] / "../shared/reference/tf"
NAMES = ("v3_resnet50", "v3_resnet101", "v3plus_xception65", "v3plus_xception65_os8")


def load(name):
    return json.loads((FOLDER / name / "case.json").read_text())


def draw_variables(case):
    """The case's variables by name, drawn by its recipe, each checked against its recorded sum."""
    random = np.random.RandomState(case["seed"])
    arrays = {}
    for item in case["variables"]:
        shape, rule = item["shape"], item["rule"]
        z = random.standard_normal(int(np.prod(shape))).astype(np.float32).reshape(shape)
        arrays[item["name"]] = values = _values(rule, z, item)
        first, total = values.ravel()[0], values.sum(dtype=np.float64)
        assert abs(first - item["first"]) <= 1e-6 * abs(first) + 1e-9, item["name"]
        assert abs(total - item["sum"]) <= 1e-6 * np.abs(values).sum(dtype=np.float64), item["name"]
    return arrays


def _values(rule, z, item):
    tenth = np.float32(0.1)
    if rule in ("weight", "depthwise"):
        return z * np.float32(np.sqrt(2 / item["fan_in"]))
    if rule == "gamma":
        return np.float32(item["gamma_scale"]) * (np.float32(1) + tenth * z)
    if rule == "variance":
        return np.float32(0.5) + np.abs(z)
    return tenth * z  # bias, beta, mean


def image(name):
    """(1, height, width, 3) uint8 RGB -> (1, 3, height, width) float32 in 0..255."""
    pixels = np.load(FOLDER / name / "image.npy")
    return np.ascontiguousarray(
        pixels.reshape(1, *pixels.shape[-3:]).transpose(0, 3, 1, 2).astype(np.float32)
    )


def error(name, endpoint, blob):
    """Largest difference between a blob (1, C, H, W) and what is stored of the end point, over its absmax."""
    values = blob.transpose(0, 2, 3, 1)
    assert list(values.shape) == endpoint["shape"], (endpoint["label"], values.shape)
    k = np.arange(len(endpoint["probe"]), dtype=np.uint64)
    probes = values.ravel()[(k * np.uint64(2654435761) + np.uint64(12345)) % np.uint64(values.size)]
    differences = [np.abs(probes - np.float32(endpoint["probe"])).max()]
    if "file" in endpoint:
        differences.append(np.abs(values - np.load(FOLDER / name / endpoint["file"])).max())
    if "slice_file" in endpoint:
        step, channel = endpoint["slice"]["spatial_step"], endpoint["slice"]["channel_step"]
        part = values[:, ::step, ::step, ::channel]
        differences.append(np.abs(part - np.load(FOLDER / name / endpoint["slice_file"])).max())
    return float(max(differences)) / endpoint["absmax"]
