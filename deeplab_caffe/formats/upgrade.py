"""Brings V0 and V1 nets into the V2 layout, and old field placements of any version into today's.

The rules are those of Caffe's own upgrade tools; DeepLab v1's `hole` becomes `dilation` the same way.
"""

import warnings
from collections.abc import Callable
from typing import Any

from ..errors import DeepLabError, DeepLabWarning
from . import caffe_pb2
from .layer_types import V0_TYPES, V1_TYPES

# Makes an error about layer number `index` of the file: fail(index, field, message).
Fail = Callable[[int, str, str], DeepLabError]

# V0 field -> for each V0 layer type that has it, its place in the V2 layer.
V0_FIELDS: dict[str, dict[str, str]] = {
    "num_output": {"conv": "convolution_param.num_output", "innerproduct": "inner_product_param.num_output"},
    "biasterm": {"conv": "convolution_param.bias_term", "innerproduct": "inner_product_param.bias_term"},
    "weight_filler": {
        "conv": "convolution_param.weight_filler",
        "innerproduct": "inner_product_param.weight_filler",
    },
    "bias_filler": {
        "conv": "convolution_param.bias_filler",
        "innerproduct": "inner_product_param.bias_filler",
    },
    "pad": {"conv": "convolution_param.pad", "pool": "pooling_param.pad"},
    "kernelsize": {"conv": "convolution_param.kernel_size", "pool": "pooling_param.kernel_size"},
    "group": {"conv": "convolution_param.group"},
    "stride": {"conv": "convolution_param.stride", "pool": "pooling_param.stride"},
    "pool": {"pool": "pooling_param.pool"},
    "dropout_ratio": {"dropout": "dropout_param.dropout_ratio"},
    "local_size": {"lrn": "lrn_param.local_size"},
    "alpha": {"lrn": "lrn_param.alpha"},
    "beta": {"lrn": "lrn_param.beta"},
    "k": {"lrn": "lrn_param.k"},
    "source": {
        "data": "data_param.source",
        "hdf5_data": "hdf5_data_param.source",
        "images": "image_data_param.source",
        "window_data": "window_data_param.source",
        "infogain_loss": "infogain_loss_param.source",
    },
    "batchsize": {
        "data": "data_param.batch_size",
        "hdf5_data": "hdf5_data_param.batch_size",
        "images": "image_data_param.batch_size",
        "window_data": "window_data_param.batch_size",
    },
    "rand_skip": {"data": "data_param.rand_skip", "images": "image_data_param.rand_skip"},
    "shuffle_images": {"images": "image_data_param.shuffle"},
    "new_height": {"images": "image_data_param.new_height"},
    "new_width": {"images": "image_data_param.new_width"},
    "concat_dim": {"concat": "concat_param.concat_dim"},
    "det_fg_threshold": {"window_data": "window_data_param.fg_threshold"},
    "det_bg_threshold": {"window_data": "window_data_param.bg_threshold"},
    "det_fg_fraction": {"window_data": "window_data_param.fg_fraction"},
    "det_context_pad": {"window_data": "window_data_param.context_pad"},
    "det_crop_mode": {"window_data": "window_data_param.crop_mode"},
    "hdf5_output_param": {"hdf5_output": "hdf5_output_param"},
}
# V0 fields of the data transformation, allowed in every layer.
V0_TRANSFORM = {"scale": "scale", "meanfile": "mean_file", "cropsize": "crop_size", "mirror": "mirror"}
TRANSFORM = ("scale", "mean_file", "crop_size", "mirror")
DATA_PARAMS = ("data_param", "image_data_param", "window_data_param")


def _put(message: Any, path: str, value: Any) -> None:
    """Sets the field at `path` ("pooling_param.pad"); a repeated field gets the value appended."""
    *parents, name = path.split(".")
    for parent in parents:
        message = getattr(message, parent)
    field = message.DESCRIPTOR.fields_by_name[name]
    if field.message_type is not None:
        getattr(message, name).CopyFrom(value)
    elif isinstance(getattr(message, name), (int, float, str, bool)):
        setattr(message, name, value)
    else:
        getattr(message, name).append(value)


def _put_multipliers(layer: Any, rates: Any, decays: Any) -> None:
    for values, name in ((rates, "lr_mult"), (decays, "decay_mult")):
        for i, value in enumerate(values):
            if i == len(layer.param):
                layer.param.add()
            setattr(layer.param[i], name, value)


def _from_v0(connection: Any, index: int, fail: Fail) -> Any:
    """One V0 `layers { layer { ... } bottom top }` as a V2 layer."""
    old = connection.layer
    layer = caffe_pb2.LayerParameter(name=old.name, bottom=connection.bottom, top=connection.top)
    if old.type not in V0_TYPES:
        raise fail(index, "type", f"unknown layer type '{old.type}'; known: {', '.join(sorted(V0_TYPES))}")
    layer.type = V0_TYPES[old.type]
    for field, value in old.ListFields():
        place = V0_FIELDS.get(field.name, {}).get(old.type)
        if field.name in V0_TRANSFORM:
            setattr(layer.transform_param, V0_TRANSFORM[field.name], value)
        elif place is not None:
            _put(layer, place, value)
        elif field.name == "pad" and old.type == "padding":
            layer.padding_param.pad_beg = layer.padding_param.pad_end = value
        elif field.name == "blobs":
            layer.blobs.extend(value)
        elif field.name not in ("name", "type", "blobs_lr", "weight_decay"):
            # Caffe's own upgrade says so, too, and goes on.
            remark = fail(index, field.name, f"a layer of type '{old.type}' has no such field: left out")
            warnings.warn(str(remark), DeepLabWarning, stacklevel=5)
    _put_multipliers(layer, old.blobs_lr, old.weight_decay)
    return layer


def _fold_v0_padding(layers: list[Any], fail: Fail) -> list[tuple[int, Any]]:
    """Takes V0 padding layers out: the convolution that reads one gets its `pad` and its bottom."""
    kept: list[tuple[int, Any]] = []
    padding_of: dict[str, Any] = {}
    for index, layer in enumerate(layers):
        if layer.type == "Padding":
            if len(layer.bottom) != 1 or len(layer.top) != 1:
                raise fail(index, "bottom", "a V0 padding layer has one bottom and one top")
            padding_of[layer.top[0]] = layer
            continue
        for i, bottom in enumerate(layer.bottom):
            if bottom not in padding_of:
                continue
            if layer.type != "Convolution":
                raise fail(index, "bottom", f"'{bottom}' is a V0 padding layer's top; only conv can read it")
            layer.convolution_param.pad[:] = [padding_of[bottom].padding_param.pad_beg]
            layer.bottom[i] = padding_of[bottom].bottom[0]
        for top in layer.top:
            padding_of.pop(top, None)
        kept.append((index, layer))
    return kept


def _from_v1(old: Any) -> Any:
    """One V1 layer as a V2 layer: fields with the same name move over, the others are translated."""
    layer = caffe_pb2.LayerParameter(type=V1_TYPES[old.type])
    known = layer.DESCRIPTOR.fields_by_name
    for field, value in old.ListFields():
        if field.name in ("type", "param", "blob_share_mode", "blobs_lr", "weight_decay"):
            continue
        if field.message_type is not None and field.name not in ("include", "exclude", "blobs"):
            getattr(layer, field.name).CopyFrom(value)
        elif field.name in known and hasattr(value, "extend"):
            getattr(layer, field.name).extend(value)
        else:
            setattr(layer, field.name, value)
    for values, name in ((old.param, "name"), (old.blob_share_mode, "share_mode")):
        for i, value in enumerate(values):
            if i == len(layer.param):
                layer.param.add()
            setattr(layer.param[i], name, value)
    _put_multipliers(layer, old.blobs_lr, old.weight_decay)
    return layer


def _modernise(layer: Any, index: int, fail: Fail) -> None:
    """Moves data-layer transformations to transform_param and `hole` to `dilation`, in place."""
    for name in DATA_PARAMS:
        if not layer.HasField(name):
            continue
        param = getattr(layer, name)
        for field in TRANSFORM:
            if param.HasField(field):
                setattr(layer.transform_param, field, getattr(param, field))
                param.ClearField(field)
    if layer.HasField("convolution_param"):
        conv = layer.convolution_param
        given = [f for f in ("hole", "hole_h", "hole_w") if conv.HasField(f)]
        if not given:
            return
        if given not in (["hole"], ["hole_h", "hole_w"]):
            raise fail(index, "convolution_param.hole", "give hole, or hole_h and hole_w")
        if conv.dilation:
            raise fail(index, "convolution_param.dilation", "given beside hole")
        conv.dilation.extend(getattr(conv, f) for f in given)
        for f in given:
            conv.ClearField(f)


def upgrade(net: Any, fail: Fail) -> list[tuple[int, Any]]:
    """The layers of a NetParameter of any version as V2 LayerParameters.

    Returns (index in the file, layer) pairs in file order; V0 padding layers are gone. The message `net`
    itself stays as it is. Raises what `fail` makes for fields that make no sense in their layer.
    """
    if net.layers and net.layer:
        raise fail(0, "layer", "the file mixes `layers` (V1) and `layer` (V2)")
    if any(layer.HasField("layer") for layer in net.layers):
        mixed = [
            _from_v0(layer, i, fail) if layer.HasField("layer") else _from_v1(layer)
            for i, layer in enumerate(net.layers)
        ]
        pairs = _fold_v0_padding(mixed, fail)
    elif net.layers:
        pairs = [(i, _from_v1(layer)) for i, layer in enumerate(net.layers)]
    else:
        pairs = []
        for i, layer in enumerate(net.layer):
            copy = caffe_pb2.LayerParameter()
            copy.CopyFrom(layer)
            pairs.append((i, copy))
    for i, layer in pairs:
        _modernise(layer, i, fail)
    return pairs
