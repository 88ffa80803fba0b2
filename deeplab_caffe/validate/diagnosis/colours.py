"""What the input's values may have been: another order of channels, another mean, another scale."""

from collections.abc import Callable, Iterator

import numpy as np

from ...images.preprocessing import MEAN
from ...types import Floats
from .case import Case
from .hypotheses import NotApplicableError, Trials, hypothesis
from .variant import Inputs, Variant

# Means in the order B, G, R that programs subtract instead.
_MEANS = {
    "104, 117, 123": (104.0, 117.0, 123.0),
    "103.939, 116.779, 123.68": (103.939, 116.779, 123.68),
    "104.008, 116.669, 122.675": MEAN,
    "123.675, 116.28, 103.53 (torchvision's)": (103.53, 116.28, 123.675),
    "127.5": (127.5,) * 3,
    "128": (128.0,) * 3,
}
_WHOLE = 1e-3  # how near to a whole number what was one is, after a float32 mean came and went
_TORCHVISION_MEAN, _TORCHVISION_STD = (0.406, 0.456, 0.485), (0.225, 0.224, 0.229)  # B, G, R


def image_source(case: Case) -> tuple[str, tuple[float, ...]]:
    """The suspected input that is an image of three channels, and the mean subtracted from it (B, G, R)."""
    for value in case.sources:
        array = case.feeds[value]
        if array.ndim == 4 and array.shape[1] == 3:
            return value[1], _mean(case, value[1])
    raise NotApplicableError(
        "no image of three channels is suspected" if case.sources else "the input is right"
    )


def _mean(case: Case, name: str) -> tuple[float, ...]:
    for layer in case.net.definition.layers:
        if name in layer.tops and layer.param.transform_param.mean_value:
            mean = tuple(layer.param.transform_param.mean_value)
            return mean * 3 if len(mean) == 1 else mean
    mean = tuple(case.job.segmenter.preprocessing.mean) if case.job.segmenter else MEAN
    return mean if len(mean) == 3 else (mean or (0.0,)) * 3


def of_input(name: str, change: str, function: Callable[[Floats], Floats]) -> Variant:
    """The change `function` of one input."""

    def inputs(arrays: Inputs) -> Inputs:
        return arrays | {name: function(arrays[name])}

    return Variant(change, inputs=inputs)


def raw(x: Floats, mean: Floats) -> Floats:
    """The image before the mean (1, 3, 1, 1) was subtracted; whole numbers where it held such."""
    image = x + mean
    whole = np.rint(image)
    return np.where(np.abs(image - whole) < _WHOLE, whole, image)


def _column(values: tuple[float, ...]) -> Floats:
    return np.asarray(values, np.float32).reshape(1, -1, 1, 1)


@hypothesis("channel order")
def channel_order(case: Case) -> Trials:
    """R, G, B for B, G, R."""
    name, mean = image_source(case)
    m = _column(mean)
    yield of_input(name, "channels in the other order (RGB for BGR), each with its own mean", _reversed)
    yield of_input(
        name, "channels in the other order, the mean in the old one", lambda x: _reversed(raw(x, m)) - m
    )


@hypothesis("mean")
def mean_value(case: Case) -> Trials:
    """No mean or another mean, also with R, G, B."""
    name, mean = image_source(case)
    m = _column(mean)
    yield from _both_orders(name, "no mean subtracted", lambda x: raw(x, m))
    yield of_input(name, "the mean subtracted twice", lambda x: x - m)
    yield of_input(name, "the mean's channels in the other order", lambda x: raw(x, m) - m[:, ::-1])
    for text, values in _MEANS.items():
        if not np.allclose(values, mean, atol=1e-4):
            yield from _both_orders(name, f"mean {text}", _less(m, _column(values)))
    yield of_input(name, "the mean of this image", lambda x: x - x.mean(axis=(2, 3), keepdims=True))


@hypothesis("scale")
def scale(case: Case) -> Trials:
    """Values of 0 to 1, or -1 to 1, in place of 0 to 255."""
    name, mean = image_source(case)
    m = _column(mean)
    mu, sigma = _column(_TORCHVISION_MEAN), _column(_TORCHVISION_STD)
    changes: list[tuple[str, Callable[[Floats], Floats]]] = [
        ("scale 1/255, no mean", lambda x: raw(x, m) / np.float32(255)),
        ("scale 1/255 behind the mean", lambda x: x / np.float32(255)),
        ("scale 1/255 before the mean", lambda x: raw(x, m) / np.float32(255) - m),
        ("scale 1/127.5, then less 1", lambda x: raw(x, m) / np.float32(127.5) - 1),
        ("scale 1/128 behind the mean", lambda x: x / np.float32(128)),
        ("scale 0.017 behind the mean", lambda x: x * np.float32(0.017)),
        (
            "torchvision's: 1/255, its mean and deviation",
            lambda x: (raw(x, m) / np.float32(255) - mu) / sigma,
        ),
        ("scale 255", lambda x: x * np.float32(255)),
    ]
    for text, function in changes:
        yield from _both_orders(name, text, function)


def _less(mean: Floats, other: Floats) -> Callable[[Floats], Floats]:
    return lambda x: raw(x, mean) - other


def _both_orders(name: str, text: str, function: Callable[[Floats], Floats]) -> Iterator[Variant]:
    """The change, and besides the channels reversed."""
    yield of_input(name, text, function)
    yield of_input(name, f"{text}; channels in the other order", lambda x: _reversed(function(x)))


def _reversed(x: Floats) -> Floats:
    return np.ascontiguousarray(x[:, ::-1])
