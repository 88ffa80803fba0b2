"""Layer types of forks that this package lacks: whose they are, and what there is instead."""

_SSD = "of SSD's fork: boxes are not this package's subject"
_RCNN = "of R-CNN's forks: boxes are not this package's subject"

# Type -> the reason told where a net has it.
FOREIGN_TYPES = {
    "AnnotatedData": _SSD,
    "Axpy": "of SENet's fork; Scale with two bottoms and Eltwise do the same",
    "ConvolutionDepthwise": "Convolution with group: the number of channels does the same",
    "CuDNNBatchNorm": "BatchNorm does the same",
    "DepthwiseConvolution": "Convolution with group: the number of channels does the same",
    "DetectionEvaluate": _SSD,
    "DetectionOutput": _SSD,
    "MultiBoxLoss": _SSD,
    "PSROIPooling": "of R-FCN's fork: boxes are not this package's subject",
    "Proposal": _RCNN,
    "ReLU6": "ReLU6 is no layer of Caffe; Clip with min: 0 max: 6 does the same",
    "ShuffleChannel": "of ShuffleNet's fork; Reshape, Permute and Reshape do the same",
    "SmoothL1LossOHEM": _RCNN,
    "VideoData": "video is not read; Input or ImageData take its frames",
}
