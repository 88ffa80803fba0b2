"""Tries a wheel as its users do: in new environments, in a folder without the sources.

python try_wheel.py WHEEL            the CRF and the pydensecrf interface, with numpy alone
python try_wheel.py WHEEL --demo     and `deeplab-caffe demo`, with torch
python try_wheel.py WHEEL --tests    and tests, against what the wheel installed
python try_wheel.py --installed      all of these with what is installed for this Python

Says what each new environment took, in seconds and megabytes. pip follows its variables (PIP_CONSTRAINT...).
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).parent.resolve()
# What the tests read beside the package; never the package itself, which would be imported instead.
BESIDE = (
    "tests",
    "docs",
    "prototxt",
    "demo",
    "weights",
    "csrc",
    "benchmarks",
    *(p.name for p in ROOT.glob("*.*")),
)
TESTS = "test_init.py crf pydensecrf formats engine/test_net.py segmenter commands/test_demo.py".split()
CRF = """
import sys
import numpy as np
from deeplab_caffe import DenseCRF
import deeplab_caffe.pydensecrf.densecrf as dcrf
from deeplab_caffe.pydensecrf.utils import unary_from_labels

rng = np.random.default_rng(0)
image = rng.integers(0, 256, (60, 80, 3), np.uint8)
unary = unary_from_labels(rng.integers(1, 4, (60, 80)), 3, 0.7)
theirs = dcrf.DenseCRF2D(80, 60, 3)
theirs.setUnaryEnergy(unary)
theirs.addPairwiseGaussian(sxy=3, compat=3)
theirs.addPairwiseBilateral(sxy=20, srgb=13, rgbim=image, compat=10)
marginals = np.array(theirs.inference(5))
ours = DenseCRF(60, 80, 3).unary(np.ascontiguousarray(unary.T.reshape(60, 80, 3)))
ours.gaussian(3, 3, normalization="symmetric").bilateral(image, 20, 13, 10, normalization="symmetric")
assert np.allclose(ours.infer(5).reshape(-1, 3).T, marginals, atol=1e-6)
loaded = {name.partition(".")[0] for name in sys.modules} - sys.stdlib_module_names
print("the CRF ran with", *sorted(name for name in loaded if name[0] != "_"))
"""


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("wheel", type=Path, nargs="?")
    parser.add_argument("--demo", action="store_true")
    parser.add_argument("--tests", action="store_true")
    parser.add_argument("--installed", action="store_true")
    options = parser.parse_args()
    if (options.wheel is None) != options.installed:
        parser.error("a wheel or --installed is wanted")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.installed:
            run(folder, [sys.executable, "-c", CRF])
            try_demo(Path(sys.executable), folder)
            try_tests(Path(sys.executable), folder / "beside")
            return
        wheel = options.wheel.resolve(strict=True)
        print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB", flush=True)
        run(folder, [install(folder / "crf", str(wheel)), "-c", CRF])
        if options.demo:
            try_demo(install(folder / "torch", f"{wheel}[torch]"), folder)
        if options.tests:
            try_tests(
                install(folder / "tests", f"{wheel}[torch,plots,hdf5]", "pytest", "scipy"), folder / "beside"
            )


def try_demo(python: Path, folder: Path) -> None:
    """Runs the demo."""
    start = time.perf_counter()
    run(folder, [python, "-m", "deeplab_caffe", "demo", "-o", "pictures"])
    made = sorted(path.name for path in folder.glob("pictures/*.png"))
    assert made, "the demo wrote no picture"
    print(f"demo: {time.perf_counter() - start:.1f} s, {len(made)} pictures", flush=True)
    run(folder, [python, "-m", "deeplab_caffe", "version"])


def install(folder: Path, *what: str) -> Path:
    """A new environment with these packages; its Python."""
    start = time.perf_counter()
    venv.create(folder, with_pip=True)
    empty = size(folder)
    python = folder / "bin/python"
    run(folder, [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *what])
    took = time.perf_counter() - start
    print(f"{folder.name}: {took:.1f} s, {(size(folder) - empty) / 1e6:.0f} MB", flush=True)
    return python


def try_tests(python: Path, folder: Path) -> None:
    """Runs TESTS with a copy of all that they read but the package."""
    folder.mkdir()
    for name in BESIDE:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name)
        elif source.exists():
            shutil.copy(source, folder / name)
    run(folder, [python, "-m", "pytest", "-m", "not slow", *(f"tests/{name}" for name in TESTS)])


def run(folder: Path, command: list) -> None:
    """Runs it in that folder, without what would lead to the sources; ends where it fails."""
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run([str(word) for word in command], cwd=folder, env=clean, check=False)
    if done.returncode:
        sys.exit(f"failed: {' '.join(map(str, command))[:200]}")


def size(folder: Path) -> int:
    """Bytes of all files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


if __name__ == "__main__":
    main()
