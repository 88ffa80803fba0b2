"""pydensecrf2 as a process of its own, perhaps of another Python: needs only numpy and that package.

`python crf_peer.py CASE.npz` answers each line on stdin with a line of JSON: seconds of construction and of
inference of one run, and the process's peak memory in bytes.
"""

import json
import sys
import time

import numpy as np


def main(path: str) -> None:
    """Serves until stdin ends."""
    import pydensecrf.densecrf as dcrf

    case = np.load(path)
    image, unary = case["image"], case["unary"]
    # The fields of deeplab_caffe.crf.CRFParameters.
    iterations, *numbers = (case[name].item() for name in case.files if name not in ("image", "unary"))
    pos_std, pos_w, xy_std, rgb_std, bi_w = numbers
    height, width, labels = unary.shape
    flat = np.ascontiguousarray(unary.reshape(-1, labels).T)
    after = dcrf.NORMALIZE_AFTER
    print("ready", flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        crf = dcrf.DenseCRF2D(width, height, labels)
        crf.setUnaryEnergy(flat)
        crf.addPairwiseGaussian(sxy=pos_std, compat=pos_w, normalization=after)
        crf.addPairwiseBilateral(sxy=xy_std, srgb=rgb_std, rgbim=image, compat=bi_w, normalization=after)
        built = time.perf_counter()
        np.argmax(crf.inference(iterations), axis=0)
        seconds = built - start, time.perf_counter() - built
        with open("/proc/self/status") as file:
            peak = next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM:"))
        print(json.dumps({"construction": seconds[0], "inference": seconds[1], "memory": peak}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
