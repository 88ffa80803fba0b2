"""Whose V1 text it is: DeepLab v1 and BVLC Caffe wrote the same form and meant different things."""

from typing import Any, NamedTuple

from . import caffe_pb2
from .dialect import Dialect

_TYPES = caffe_pb2.V1LayerParameter.LayerType.DESCRIPTOR.values_by_number

# What only one of them has. Layer types by V1's names; fields by message and name.
_DEEPLAB_TYPES = {value.name for number, value in _TYPES.items() if 40 <= number <= 56 or number == 1039}
_BVLC_TYPES = {"DECONVOLUTION", *(value.name for number, value in _TYPES.items() if number >= 1060)}
_DEEPLAB_FIELDS = {
    "V1LayerParameter": {
        "adaptive_bias_channel_param",
        "bias_channel_param",
        "censor_label_param",
        "channel_aggregator_param",
        "dense_crf_param",
        "dominant_channel_param",
        "euclidean_loss_param",
        "gain_channel_param",
        "histogram_param",
        "ignore_overlay_param",
        "interp_param",
        "mat_read_param",
        "mat_write_param",
        "onehot_param",
        "padding_param",
        "seg_accuracy_param",
        "softmaxloss_param",
        "strict_dim",
        "unique_label_param",
    },
    "ConvolutionParameter": {"hole", "hole_h", "hole_w"},
    "ImageDataParameter": {"has_label", "ignore_label", "label_type", "max_labels"},
}
_BVLC_FIELDS = {
    "V1LayerParameter": {
        "bn_param",
        "crop_param",
        "loss_param",
        "multi_stage_meanfield_param",
        "prelu_param",
        "python_param",
        "unpooling_param",
        "upsample_param",
    },
    "AccuracyParameter": {"axis", "ignore_label"},
    "ArgMaxParameter": {"axis"},
    "ConcatParameter": {"axis"},
    "ContrastiveLossParameter": {"legacy_version"},
    "ConvolutionParameter": {"axis", "dilation", "force_nd_im2col"},
    "DataParameter": {"force_encoded_color", "prefetch"},
    "HDF5DataParameter": {"shuffle"},
    "InfogainLossParameter": {"axis"},
    "InnerProductParameter": {"axis", "transpose"},
    "LRNParameter": {"engine"},
    "MVNParameter": {"eps"},
    "PoolingParameter": {"ceil_mode", "round_mode"},
    "SliceParameter": {"axis"},
    "SoftmaxParameter": {"axis"},
    "TransformationParameter": {"force_color", "force_gray"},
}


class Finding(NamedTuple):
    """The dialect, why, and, in doubt, the layers that would compute otherwise in the other one."""

    dialect: Dialect
    reason: str
    doubtful: tuple[str, ...] = ()


def find_dialect(net: Any) -> Finding:
    """The dialect of a NetParameter as its text says it, before it is upgraded."""
    if not net.layers:
        return Finding(Dialect.V2, "V2 text")
    deeplab, bvlc = _signs(net, _DEEPLAB_TYPES, _DEEPLAB_FIELDS), _signs(net, _BVLC_TYPES, _BVLC_FIELDS)
    if bvlc and not deeplab:
        return Finding(Dialect.V2, f"V1 text of BVLC Caffe: it has {_few(bvlc)}")
    if deeplab and not bvlc:
        return Finding(Dialect.V1, f"V1 text of DeepLab v1: it has {_few(deeplab)}")
    doubtful = tuple(layer.name or layer.layer.name for layer in net.layers if _differs(layer))
    if bvlc:
        both = f"{_few(deeplab)} (DeepLab v1's) and {_few(bvlc)} (BVLC's)"
        return Finding(Dialect.V1, f"V1 text with {both}", doubtful)
    return Finding(Dialect.V1, "V1 text without a sign of BVLC Caffe's", doubtful)


def _signs(net: Any, types: set[str], fields: dict[str, set[str]]) -> list[str]:
    """What of these the net has, each once, in order."""
    found: dict[str, None] = {}
    for layer in net.layers:
        name = _TYPES[layer.type].name
        if name in types:
            found[name] = None
        for message in (layer, *(value for field, value in layer.ListFields() if _is_message(field))):
            wanted = fields.get(message.DESCRIPTOR.name, set())
            found |= dict.fromkeys(field.name for field, _ in message.ListFields() if field.name in wanted)
    return list(found)


def _is_message(field: Any) -> bool:
    return field.message_type is not None and field.name.endswith("_param")


def _differs(layer: Any) -> bool:
    """Whether the layer has other values in BVLC Caffe."""
    kind = _TYPES[layer.type].name
    if layer.HasField("layer"):
        return layer.layer.type == "euclidean_loss"
    if kind == "SOFTMAX_LOSS":
        return layer.HasField("loss_param") or layer.HasField("softmaxloss_param")
    return kind == "EUCLIDEAN_LOSS" or (kind == "ARGMAX" and not layer.argmax_param.HasField("axis"))


def _few(names: list[str], most: int = 4) -> str:
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
