"""Writes layers.md, the table of every Caffe layer type: `python docs/layers.py`."""

from pathlib import Path

from deeplab_caffe.formats.layer_types import V1_TYPES
from deeplab_caffe.layers import known_types, layer_class
from deeplab_caffe.layers.unsupported import REASONS

PAGE = Path(__file__).with_suffix(".md")

# The types that BVLC Caffe and the DeepLab v2 fork register; those of DeepLab v1 are the names in its schema.
BVLC = """
AbsVal Accuracy ArgMax BNLL BatchNorm BatchReindex Bias Clip Concat ContrastiveLoss Convolution Crop Data
Deconvolution Dropout DummyData ELU Eltwise Embed EuclideanLoss Exp Filter Flatten HDF5Data HDF5Output
HingeLoss Im2col ImageData InfogainLoss InnerProduct Input LRN LSTM LSTMUnit Log MVN MemoryData
MultinomialLogisticLoss PReLU Parameter Pooling Power Python RNN ReLU Reduction Reshape SPP Scale Sigmoid
SigmoidCrossEntropyLoss Silence Slice Softmax SoftmaxWithLoss Split Swish TanH Threshold Tile WindowData
""".split()
DEEPLAB_V2 = """
AbsVal Accuracy AdaptiveBiasChannel ArgMax BNLL BatchNorm BatchReindex Bias BiasChannel Concat
ContrastiveLoss Convolution Data Deconvolution DenseCRF DomainTransform DomainTransformForwardOnly Dropout
DummyData ELU Eltwise Embed EuclideanLoss Exp Filter Flatten HDF5Data HDF5Output HingeLoss Im2col ImageData
ImageSegData InfogainLoss InnerProduct Interp LRN Log MVN MatRead MatWrite MemoryData
MultinomialLogisticLoss PReLU Pooling Power ReLU Reduction Reshape SPP Scale SegAccuracy Sigmoid
SigmoidCrossEntropyLoss Silence Slice Softmax SoftmaxWithLoss SpatialProduct Split TanH Threshold Tile
UniqueLabel WindowData
""".split()
# From 1060 on the schema numbers types that only forks of BVLC Caffe had in V1.
DEEPLAB_V1 = [name for number, name in V1_TYPES.items() if name and name != "Deconvolution" and number < 1060]

# Of other forks that segmentation nets come from.
FORKS = {
    "BN": "SegNet, ENet, DeconvNet; PSPNet, ICNet",
    "DenseImageData": "SegNet, ENet",
    "MultiStageMeanfield": "CRF-RNN",
    "Normalize": "SSD, ParseNet",
    "Permute": "SSD",
    "PriorBox": "SSD",
    "ROIPooling": "Fast R-CNN",
    "SmoothL1Loss": "Fast R-CNN",
    "Unpooling": "DeconvNet",
    "Upsample": "SegNet, ENet",
}

RANDOM = "own random numbers"
# What a user of the original would notice; everything else gives the original's values.
DIFFERS = {
    "AdaptiveBiasChannel": "v1 takes the foreground labels in random order, here in their own",
    "Convolution": "gradients of other than 4-dimensional blobs and axis 1 are torch's",
    "Data": f"LMDB only; rand_skip, TRAIN's crops and mirroring: {RANDOM}",
    "Deconvolution": "4-dimensional blobs and axis 1 only",
    "Dropout": f"TRAIN: {RANDOM}",
    "DummyData": f"random fillers: {RANDOM}",
    "GainChannel": f"TRAIN: {RANDOM}",
    "HDF5Data": f"shuffle: {RANDOM}",
    "ImageData": f"shuffle, crops and mirroring: {RANDOM}",
    "ImageSegData": f"shuffle, crops and mirroring: {RANDOM}",
    "InfogainLoss": "axis 1 only",
    "MultiStageMeanfield": "weights start from its fields, not from spatial.par and bilateral.par",
    "Pooling": "STOCHASTIC: test phase only",
    "Python": "its code must be allowed ([pycaffe.md](pycaffe.md#python-layers))",
    "WindowData": f"windows, mirroring: {RANDOM}",
    "SoftmaxWithLoss": "v1's gradient of ignored pixels is 0 (the original leaves old values there)",
}


def rows() -> list[str]:
    """The lines of the table, a type each, in alphabetical order."""
    lines = []
    ours = [name for name in known_types() if layer_class(name).__module__.startswith("deeplab_caffe.")]
    for name in sorted({*BVLC, *DEEPLAB_V1, *DEEPLAB_V2, *FORKS, *ours}, key=str.lower):
        origins = [name in types for types in (DEEPLAB_V1, DEEPLAB_V2, BVLC)]
        marks = " | ".join("x" if there else "" for there in origins)
        lines.append(f"| {name} | {marks} | {state(name, any(origins))} |")
    return lines


def state(name: str, original: bool) -> str:
    """What becomes of the type here, and whether it has a CUDA kernel of its own, as two cells."""
    if name in REASONS:
        return f"refused: {REASONS[name]} |"
    kernel = "yes" if layer_class(name).on_device else "host"
    if name in FORKS:
        differs = f"differs: {DIFFERS[name]}" if name in DIFFERS else "runs"
        return f"{differs}; of {FORKS[name]} | {kernel}"
    if not original:
        return f"runs; this project's own | {kernel}"
    return f"{'differs: ' + DIFFERS[name] if name in DIFFERS else 'runs'} | {kernel}"


def page() -> str:
    """The whole page."""
    head = """# Layer types

Every layer type that DeepLab v1, DeepLab v2 and BVLC Caffe register, and those that segmentation nets have
from other forks, under its V2 name (a V1 prototxt says `EUCLIDEAN_LOSS` for `EuclideanLoss`), and what
becomes of it here. *Runs*: the original's values (in
`exact` its bits where a reference output exists). *Differs*: runs, but for what is said. *Refused*:
building the net is an error with that reason, unless the caller feeds the layer's tops. *Own random
numbers*: torch's or NumPy's, of the original's distribution but not its stream. On a GPU, layers marked
*host* run in main memory.

This page is written by `python docs/layers.py` from the layers themselves; a test holds it against them.

| type | DeepLab v1 | DeepLab v2 | BVLC | here | on a GPU |
|---|---|---|---|---|---|
"""
    return head + "\n".join(rows()) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
