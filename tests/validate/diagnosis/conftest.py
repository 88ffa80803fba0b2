import numpy as np
import pytest

from deeplab_caffe.images.preprocessing import MEAN
from deeplab_caffe.validate.diagnosis.diagnose import diagnose
from deeplab_caffe.validate.request import Request
from deeplab_caffe.validate.validation import validate

COLUMN = np.array(MEAN, np.float32).reshape(1, 3, 1, 1)


class Planted:
    """A net, and another program that is wrong on purpose, which leaves dumps."""

    def __init__(self, small, folder):
        self.small, self.folder = small, folder / "theirs"
        generator = np.random.default_rng(1)
        shape = small.x.shape
        self.image = generator.integers(0, 256, shape).astype(np.float32)
        self.x = self.image - COLUMN if shape[1] == 3 else self.image

    def validate(self, theirs, also_weights=(), **options):
        """theirs: {(layer, blob): array}, or a path."""
        path = theirs if not isinstance(theirs, dict) else self.small.dump(self.folder, theirs)
        request = Request(
            self.small.model,
            self.small.weights,
            [path],
            inputs={"data": self.x},
            threads=1,
            **options,
        )

        def why(job, comparisons, first):
            return diagnose(job, comparisons, first, also_weights)

        return validate(request.job(), request.environment("a test"), why)

    def diagnose(self, theirs, **options):
        result = self.validate(theirs, **options)
        assert not result.equal
        return result.diagnosis

    def blobs(self, x=None, net=None):
        return self.small.blobs(self.x if x is None else x, net)


@pytest.fixture
def planted(small, tmp_path):
    return Planted(small, tmp_path)
