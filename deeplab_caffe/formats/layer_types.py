"""Names of layer types: V2 strings ("Convolution"), V1 enum values (CONVOLUTION = 4), V0 strings ("conv")."""

from . import caffe_pb2

_V1_ENUM = caffe_pb2.V1LayerParameter.LayerType.DESCRIPTOR

# V1 names whose V2 name is not simply the words with capitals (EUCLIDEAN_LOSS -> EuclideanLoss).
_IRREGULAR = {
    "NONE": "",
    "ABSVAL": "AbsVal",
    "ARGMAX": "ArgMax",
    "BN": "BN",
    "BNLL": "BNLL",
    "DENSE_CRF": "DenseCRF",
    "HDF5_DATA": "HDF5Data",
    "HDF5_OUTPUT": "HDF5Output",
    "LRN": "LRN",
    "MVN": "MVN",
    "ONEHOT": "OneHot",
    "PRELU": "PReLU",
    "RELU": "ReLU",
    "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "TANH": "TanH",
}

V0_TYPES = {
    "accuracy": "Accuracy",
    "bnll": "BNLL",
    "concat": "Concat",
    "conv": "Convolution",
    "data": "Data",
    "dropout": "Dropout",
    "euclidean_loss": "EuclideanLoss",
    "flatten": "Flatten",
    "hdf5_data": "HDF5Data",
    "hdf5_output": "HDF5Output",
    "im2col": "Im2col",
    "images": "ImageData",
    "infogain_loss": "InfogainLoss",
    "innerproduct": "InnerProduct",
    "lrn": "LRN",
    "multinomial_logistic_loss": "MultinomialLogisticLoss",
    "padding": "Padding",
    "pool": "Pooling",
    "relu": "ReLU",
    "sigmoid": "Sigmoid",
    "softmax": "Softmax",
    "softmax_loss": "SoftmaxWithLoss",
    "split": "Split",
    "tanh": "TanH",
    "window_data": "WindowData",
}


def _v2_name(v1_name: str) -> str:
    return _IRREGULAR.get(v1_name, "".join(word.capitalize() for word in v1_name.split("_")))


# Schema number of a V1 type -> V2 name.
V1_TYPES: dict[int, str] = {value.number: _v2_name(value.name) for value in _V1_ENUM.values}

# V2 name -> number in a binary V1 record; types that no released V1 file numbers are absent.
V1_WIRE_NUMBERS: dict[str, int] = {name: number for number, name in V1_TYPES.items() if number < 1000}
V1_WIRE_NUMBERS["ImageSegData"] = V1_WIRE_NUMBERS["Deconvolution"]


def v1_wire_type(number: int, has_blobs: bool) -> str:
    """V2 name of the type that a binary V1 record numbers; "" if unknown.

    39 is Deconvolution in BVLC Caffe and ImageSegData in DeepLab v1: only the former has weights.
    """
    if number == V1_WIRE_NUMBERS["ImageSegData"] and not has_blobs:
        return "ImageSegData"
    return V1_TYPES.get(number, "")
