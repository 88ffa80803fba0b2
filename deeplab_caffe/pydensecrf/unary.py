"""The unary energies of pydensecrf, for `DenseCRF.setUnary`."""

from numpy.typing import ArrayLike

from ..crf.arrays import to_numpy
from ..errors import DeepLabError
from ..types import Floats


class Unary:
    """Unary energies (labels, points), `energy`; of its own kind it has none."""

    energy: ArrayLike | None = None


class ConstUnary(Unary):
    """Fixed unary energies u (labels, points)."""

    def __init__(self, u: ArrayLike) -> None:
        self.energy = u


class LogisticUnary(Unary):
    """Unary energies that are linear in features: the matrix L (labels, d) times f (d, points).

    Raises DeepLabError for shapes that do not go together.
    """

    def __init__(self, L: ArrayLike, f: ArrayLike) -> None:  # noqa: N803
        weights, features = to_numpy("L", L), to_numpy("f", f)
        if weights.ndim != 2 or features.ndim != 2 or weights.shape[1] != features.shape[0]:
            raise DeepLabError(
                f"LogisticUnary: L {weights.shape} and f {features.shape} given, "
                "(labels, d) and (d, points) wanted"
            )
        self.energy: Floats = weights @ features
