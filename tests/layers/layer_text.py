"""The prototxt text of one layer, for `run_layer`."""


def layer(kind, fields="", bottoms=1):
    """A layer of a V2 type with bottoms a0, a1... and the top b."""
    return f'layer {{ name: "tested" type: "{kind}"{_ends(bottoms)} top: "b" {fields} }}'


def layer_v1(kind, fields="", bottoms=1):
    """The same of a V1 type: `kind` is a name such as ONEHOT."""
    return f'layers {{ name: "tested" type: {kind}{_ends(bottoms)} top: "b" {fields} }}'


def _ends(bottoms):
    return "".join(f' bottom: "a{i}"' for i in range(bottoms))
