"""The classes of modules in a net's source: torch's, and those of our own that helpers.py writes."""

from .nodes import ModuleClass, Parameter


def _class(name: str, *given: str, **defaults: object) -> ModuleClass:
    named = (Parameter(key, value) for key, value in defaults.items())
    return ModuleClass(name, (*map(Parameter, given), *named))


_WINDOW = {"stride": 1, "padding": 0}
CONVOLUTION = _class("nn.Conv2d", "inputs", "outputs", "kernel", **_WINDOW, dilation=1, groups=1, bias=True)
DECONVOLUTION = _class(
    "nn.ConvTranspose2d", "inputs", "outputs", "kernel", **_WINDOW, groups=1, bias=True, dilation=1
)
LINEAR = _class("nn.Linear", "inputs", "outputs", bias=True)
# By the number of axes.
BATCH_NORM = {
    axes: _class(f"nn.BatchNorm{max(axes - 2, 1)}d", "channels", eps=1e-05, affine=True)
    for axes in range(2, 6)
}
PRELU = _class("nn.PReLU", "slopes")
EMBEDDING = _class("nn.Embedding", "rows", "columns")
BIASED_EMBEDDING = _class("Embed", "rows", "columns")
SCALE = _class("Scale", "channels", bias=True, behind=2)
BIAS = _class("Bias", "channels", behind=2)
GAIN = _class("Gain", "channels", least=0.0, norm_mean=False)
