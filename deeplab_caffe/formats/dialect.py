"""What DeepLab v1's Caffe computes otherwise than v2's, although their files say the same."""

from enum import Enum


class Dialect(str, Enum):
    """The form of a prototxt: V1 (`layers`; V0 counts as V1) or V2 (`layer`). Each fact names its layers."""

    V1 = "v1"
    V2 = "v2"

    @property
    def four_axes(self) -> bool:
        """Every blob: num, channels, height and width, however many of them are 1."""
        return self is Dialect.V1

    def top_shape(self, *sizes: int) -> tuple[int, ...]:
        """The shape of a top of these sizes, with ones behind them up to four axes. (): of one number."""
        return sizes + (1,) * (4 - len(sizes)) if self.four_axes else sizes

    def blob_shape(self, *sizes: int) -> tuple[int, ...]:
        """The shape of a parameter of these sizes, with ones before them up to four axes."""
        return (1,) * (4 - len(sizes)) + sizes if self.four_axes else sizes

    @property
    def argmax_keeps_axes(self) -> bool:
        """ArgMax without `axis`: over the channels, in place of them; else over all that an image has."""
        return self is Dialect.V1

    @property
    def argmax_appends_values(self) -> bool:
        """ArgMax with `out_max_val` and an axis: the values behind the indices; else in their place."""
        return self is Dialect.V1

    @property
    def background_is_known(self) -> bool:
        """BiasChannel: `background_label` counts without being given."""
        return self is Dialect.V1

    @property
    def crf_reads_softmax(self) -> bool:
        """DenseCRF: energies are -log(softmax(scores)); else -scores."""
        return self is Dialect.V1

    @property
    def crf_gives_marginals(self) -> bool:
        """DenseCRF: always marginals; else what `output_probability` says."""
        return self is Dialect.V1

    @property
    def euclidean_over_count(self) -> bool:
        """EuclideanLoss: divided by the number of values; else by that of images."""
        return self is Dialect.V1

    @property
    def loss_over_weights(self) -> bool:
        """SoftmaxWithLoss: divided by the weights of the counted positions; else as `loss_param` says."""
        return self is Dialect.V1

    @property
    def accuracy_of_batch(self) -> bool:
        """SegAccuracy: of each batch alone; else what `reset` says."""
        return self is Dialect.V1

    @property
    def shrinks_then_zooms(self) -> bool:
        """Interp: shrink_factor and zoom_factor may be given together."""
        return self is Dialect.V2
