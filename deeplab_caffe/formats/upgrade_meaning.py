"""What DeepLab v1's layers compute otherwise than v2's (dialect.py), said in fields that V2 has."""

from collections.abc import Callable

from .prototxt_tree import Field, Message

# Of a layer: changes it in place and returns what cannot be kept, "" if nothing.
_Rule = Callable[[Message], str]


def keep_meaning(tree: Message, source: str) -> list[str]:
    """Adds what keeps V1's layers as they were, in place; returns a line for each that cannot be kept.

    tree: a net of V1 layers in V2's layout.
    """
    remarks = []
    for place in list(tree.all("layer")):
        layer = place.value
        if not isinstance(layer, Message):
            continue
        kind = layer.text("type")
        remark = _RULES[kind](layer) if kind in _RULES else ""
        if kind == "DenseCRF":
            remark = _crf_reads_softmax(tree, place, layer)
        if remark:
            remarks.append(f"{source}: layer '{layer.text('name')}' ({kind}): {remark}")
    return remarks


def set_field(layer: Message, group: str, name: str, value: str) -> None:
    """Sets a field of a layer's message, which is made if there is none."""
    message = layer.message(group)
    if message is None:
        message = Message()
        layer.fields.append(Field(group, message, _lead_of(layer), " "))
    for part in message.all(name):
        part.value = value
        return
    message.fields.append(Field(name, value, _lead_of(message)))


def _lead_of(message: Message) -> str:
    """The blanks before a message's fields, for one more."""
    lead = message.fields[-1].lead if message.fields else " "
    return " " if "#" in lead else lead


def _given(layer: Message, group: str, name: str) -> str:
    message = layer.message(group)
    return message.text(name) if message else ""


def _arg_max(layer: Message) -> str:
    if _given(layer, "argmax_param", "out_max_val") in ("true", "1"):
        return "V1 appends the values (out_max_val) to the indices, V2 gives them alone"
    if not _given(layer, "argmax_param", "axis"):
        set_field(layer, "argmax_param", "axis", "1")
    return ""


def _dense_crf(layer: Message) -> str:
    set_field(layer, "dense_crf_param", "output_probability", "true")
    return ""


def _crf_reads_softmax(tree: Message, place: Field, layer: Message) -> str:
    """V1's energies are -log(softmax(scores)), V2's -scores: two layers in front do the rest."""
    bottom = next(layer.all("bottom"), None)
    if bottom is None or layer.text("top") == bottom.plain:
        return "V1 takes the logarithm of the scores' softmax first, V2 the scores; not put in front of it"
    name, scores = layer.text("name"), bottom.plain
    tops = {
        top.plain
        for one in tree.all("layer")
        if isinstance(one.value, Message)
        for top in one.value.all("top")
    }
    while {f"{name}_softmax", f"{name}_log"} & tops:
        name += "_"
    rules = [part for part in layer.fields if part.name in ("include", "exclude")]
    added = []
    for kind, end in (("Softmax", "softmax"), ("Log", "log")):
        fields = [Field("name", f'"{name}_{end}"'), Field("type", f'"{kind}"')]
        fields += [Field("bottom", f'"{scores}"'), Field("top", f'"{name}_{end}"')]
        fields += [Field(rule.name, rule.value, " ", rule.colon) for rule in rules]
        added.append(Field("layer", Message(fields), "\n", " "))
        scores = f"{name}_{end}"
    bottom.value = f'"{scores}"'
    added[0].lead = place.lead
    place.lead = "\n"
    at = next(k for k, one in enumerate(tree.fields) if one is place)
    tree.fields[at:at] = added
    return ""


def _bias_channel(layer: Message) -> str:
    given = [_given(layer, "bias_channel_param", name) for name in ("background_label", "bg_bias")]
    if not any(given):
        set_field(layer, "bias_channel_param", "background_label", "0")
    return ""


def _euclidean_loss(layer: Message) -> str:
    return "V1 divides by the number of values, V2 by that of images"


def _softmax_loss(layer: Message) -> str:
    old = layer.message("softmaxloss_param")
    if old is None:
        return ""
    labels = [item for part in old.all("ignore_label") for item in part.items]
    if old.text("weight_source"):
        return "V1 divides by the weights of the counted positions (weight_source), V2 by their number"
    if len(labels) == 1 and layer.message("loss_param") is None:
        next(layer.all("softmaxloss_param")).name = "loss_param"
    elif len(labels) > 1:
        return f"ignore_label {', '.join(labels)}: V2's own Caffe takes one (this package takes them all)"
    return ""


def _seg_accuracy(layer: Message) -> str:
    if _given(layer, "seg_accuracy_param", "reset"):
        set_field(layer, "seg_accuracy_param", "reset", "true")
    return ""


_RULES: dict[str, _Rule] = {
    "ArgMax": _arg_max,
    "BiasChannel": _bias_channel,
    "DenseCRF": _dense_crf,
    "EuclideanLoss": _euclidean_loss,
    "SegAccuracy": _seg_accuracy,
    "SoftmaxWithLoss": _softmax_loss,
}
