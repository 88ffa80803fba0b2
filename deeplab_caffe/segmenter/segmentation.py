"""From a photo to scores and labels, with a dense CRF behind the net or without."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..crf.arrays import channels_first, channels_last
from ..crf.devices import backend_of
from ..crf.energies import Kind, energies_of
from ..crf.parameters import CRFParameters
from ..crf.refinement import image_crf
from ..errors import DeepLabError
from ..types import Bytes
from .segmenter import Segmenter, label_map


class Segmentation(NamedTuple):
    """What a net, and a CRF behind it, make of an image.

    scores: (labels, H, W), on the device they were computed on: the net's, or the CRF's marginals. labels:
    (H, W), on the host. Of equal scores the highest label counts (ArgMax), of equal marginals the lowest
    (the original CRF program).
    """

    scores: Tensor
    labels: Bytes


def segment(segmenter: Segmenter, image: Bytes, crf: CRFParameters | None = None) -> Segmentation:
    """Runs the net on an image (H, W, 3), in its channel order, then the CRF, if wanted, where scores are."""
    scores = segmenter.score_map(image)[0]
    if crf is None:
        return Segmentation(scores, label_map(scores))
    kind: Kind = "probabilities" if segmenter.averages else "scores"
    return refine_scores(segmenter.rgb(image), scores, crf, kind, segmenter.net.context.threads)


def refine_scores(
    image: Bytes,
    scores: Tensor,
    parameters: CRFParameters,
    kind: Kind = "scores",
    threads: int | None = None,
) -> Segmentation:
    """The CRF alone, for scores (labels, H, W) of an RGB image. kind: of the scores, see crf.refine.

    Scores on a GPU are refined there. Raises DeepLabError for scores of a single label.
    """
    if scores.shape[0] < 2:
        raise DeepLabError("a CRF needs the scores of at least two labels, the net gives one plane")
    backend = backend_of(scores)
    energies = torch.as_tensor(channels_last(energies_of(scores, kind, threads, backend)))
    model = image_crf(image, len(scores), parameters, threads=threads, device=backend).unary(energies)
    marginals = channels_first(model.infer(parameters.iterations)).contiguous()
    return Segmentation(marginals, model.map().cpu().numpy().astype(np.uint8))
