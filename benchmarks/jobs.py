"""Whole jobs: folders of photos through `predict`, `predict --crf` and `crf`, against plain Python loops.

python3 benchmarks/jobs.py PHOTOS -o OUT [--images 1000] [--threads 2] [--rounds 3]
    [--jobs predict,predict-crf,crf]

Each job is a process of its own, ours and the loop's in turn; their label maps must be the same bytes.
OUT/jobs.json holds for each wall and processor seconds, images a second and peak memory, medians over the
rounds.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

NET = "camvid_largefov"
DISTINCT = 100  # photos whose scores are written for the job crf; the others are links to them

LOOPS = {
    "predict": """
from deeplab_caffe import Segmenter
segmenter = Segmenter(net, net, threads=threads)
for photo in photos:
    write(photo, segmenter.labels(read_image(photo)))
""",
    "predict-crf": """
from deeplab_caffe import Segmenter
segmenter = Segmenter(net, net, threads=threads)
for photo in photos:
    image = read_image(photo)
    write(photo, refine(image, segmenter.scores(image), threads=threads).argmax(0))
""",
    "crf": """
for photo in photos:
    image, scores = read_image(photo), np.load(f"{folder}/scores/{photo.stem}.npy")
    write(photo, refine(image, scores, threads=threads).argmax(0))
""",
}
BEGINNING = """
import sys
from pathlib import Path
import numpy as np
from PIL import Image
from deeplab_caffe import read_image
from deeplab_caffe.crf import refine
from deeplab_caffe.images.palettes import palette

net, folder, out, threads = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
out.mkdir(parents=True)
photos, colours = sorted((folder / "photos").iterdir()), palette("camvid").colours.tobytes()

def write(photo, labels):
    image = Image.fromarray(labels.astype(np.uint8)).convert("L")
    image.putpalette(colours)
    image.save(out / f"{photo.stem}.png")
"""


def main() -> None:
    """Measures the jobs and writes jobs.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", default=",".join(LOOPS))
    options = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        link_photos(options.photos, folder, options.images)
        jobs = options.jobs.split(",")
        if "crf" in jobs:
            make_scores(folder, options.threads)
        for job in jobs:
            runs: dict[str, list[dict[str, float]]] = {"loop": [], "ours": []}
            for number in range(options.rounds):
                for kind, found in runs.items():
                    out = folder / f"{job}-{kind}-{number}"
                    found.append(measured(command(job, kind, folder, out, options.threads)))
                same(folder / f"{job}-loop-{number}", folder / f"{job}-ours-{number}")
            row: dict[str, Any] = {"job": job, "images": options.images, "threads": options.threads}
            for kind, found in runs.items():
                row[kind] = {name: statistics.median(run[name] for run in found) for name in found[0]}
                row[kind]["images_per_second"] = options.images / row[kind]["seconds"]
            for name in "seconds", "processor_seconds":
                pairs = zip(runs["ours"], runs["loop"], strict=True)
                row[f"{name}_ratio"] = statistics.median(ours[name] / loop[name] for ours, loop in pairs)
            print(json.dumps(row), flush=True)
            results.append(row)
    options.output.mkdir(parents=True, exist_ok=True)
    report = {"machine": platform.processor() or platform.machine(), "results": results}
    (options.output / "jobs.json").write_text(json.dumps(report, indent=1) + "\n")


def link_photos(photos: Path, folder: Path, count: int) -> None:
    """So many photos in folder/photos: links to those there are, again and again."""
    found = sorted(path for path in photos.rglob("*") if path.suffix in (".jpg", ".png"))[:DISTINCT]
    (folder / "photos").mkdir()
    for number in range(count):
        photo = found[number % len(found)].resolve()
        (folder / "photos" / f"{number:05}{photo.suffix}").symlink_to(photo)


def make_scores(folder: Path, threads: int) -> None:
    """The net's scores of each photo in folder/scores."""
    photos = sorted((folder / "photos").iterdir())
    listed = folder / "distinct.txt"
    listed.write_text("".join(f"{photo}\n" for photo in photos[:DISTINCT]))
    words = [str(listed), "-o", str(folder), "--save", "scores", "--no-sheet", "--threads", str(threads)]
    measured([sys.executable, "-m", "deeplab_caffe", "predict", "-m", NET, "-w", NET, *words])
    for number, photo in enumerate(photos[DISTINCT:]):
        source = folder / "scores" / f"{photos[number % DISTINCT].stem}.npy"
        (folder / "scores" / f"{photo.stem}.npy").symlink_to(source)


def command(job: str, kind: str, folder: Path, out: Path, threads: int) -> list[str]:
    """The process that does a job: the loop's, or ours."""
    if kind == "loop":
        arguments = [NET, str(folder), str(out / "labels"), str(threads)]
        return [sys.executable, "-c", BEGINNING + LOOPS[job], *arguments]
    ours = [sys.executable, "-m", "deeplab_caffe", "--threads", str(threads), "--palette", "camvid"]
    photos = str(folder / "photos")
    if job == "crf":
        given = ["--image", photos, "--scores", str(folder / "scores"), "--map", str(out / "labels")]
        return [*ours[:3], "crf", *ours[3:], *given]
    given = ["-m", NET, "-w", NET, photos, "-o", str(out), "--save", "labels", "--no-sheet"]
    return [*ours[:3], "predict", *ours[3:], *given, *(["--crf"] if job == "predict-crf" else [])]


def measured(words: list[str]) -> dict[str, float]:
    """Runs a process: seconds, processor seconds, peak memory in MB."""
    start = time.perf_counter()
    child = os.posix_spawn(words[0], words, os.environ)
    _, status, usage = os.wait4(child, 0)
    if status:
        raise SystemExit(f"failed: {' '.join(words[:6])} ...")
    return {
        "seconds": time.perf_counter() - start,
        "processor_seconds": usage.ru_utime + usage.ru_stime,
        "peak_mb": usage.ru_maxrss / 1024,
    }


def same(one: Path, other: Path) -> None:
    """Ends the program unless the label maps of two runs are the same bytes."""
    names = [sorted(path.name for path in (folder / "labels").iterdir()) for folder in (one, other)]
    if names[0] != names[1]:
        raise SystemExit(f"{one}, {other}: other files")
    for name in names[0]:
        if (one / "labels" / name).read_bytes() != (other / "labels" / name).read_bytes():
            raise SystemExit(f"{one / 'labels' / name}: other bytes")


if __name__ == "__main__":
    main()
