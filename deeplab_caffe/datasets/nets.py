"""The nets that a prepared data set gets: prototxts of training and test, and the solver.

DeepLab v2's with its settings (PAMI 2017, section 4: the `poly` policy with power 0.9, 20,000 iterations of
10 images), and for CamVid the net that ships.
"""

from dataclasses import dataclass
from pathlib import Path

from ..assets import asset
from ..errors import DeepLabError, known_names, one_line
from ..generate.deeplab_v2 import FAMILY
from .plan import Plan

CAMVID_NET = "camvid_largefov"
_FAMILY = {net.name: net for net in FAMILY}
_IMAGES = 10  # an iteration
_SCALES = (0.5, 0.75, 1.0, 1.25, 1.5)

_SOLVER = """# As DeepLab v2 was trained: {images} images an iteration, the learning rate falling to 0.
train_net: "${{EXP}}/config/${{NET_ID}}/train.prototxt"
type: "SGD"
base_lr: {rate}
lr_policy: "poly"
power: 0.9
max_iter: {iterations}
iter_size: {passes}
momentum: 0.9
weight_decay: 0.0005
display: 10
average_loss: 20
snapshot: 1000
snapshot_prefix: "${{EXP}}/model/${{NET_ID}}/train"
random_seed: 1
"""


@dataclass(frozen=True)
class NetFiles:
    """The texts of a net's files by name. features: the folder that its test net writes scores into.

    initial: weights that ship, which its training starts from. normalised: it is trained with batch
    normalisation, which is folded away for the test.
    """

    texts: dict[str, str]
    features: str
    initial: Path | None = None
    normalised: bool = False

    @property
    def trains(self) -> bool:
        """Whether there is a net for training."""
        return "train.prototxt" in self.texts


def default_net(plan: Plan) -> str:
    """The net that a data set gets unless another is asked for."""
    return CAMVID_NET if plan.name == "camvid" else "vgg16_largefov"


def make_net(plan: Plan, name: str, labels: int, size: tuple[int, int]) -> NetFiles:
    """The files of a net for this data set. size: the largest height and width of its images.

    Variables that stay are those of the authors' scripts: EXP, DATA_ROOT, NET_ID, TRAIN_SET, TEST_SET,
    FEATURE_DIR. Raises DeepLabError for an unknown net.
    """
    if name == CAMVID_NET and plan.name == "camvid":
        return _camvid(size)
    if name not in _FAMILY:
        known = (*_FAMILY, *([CAMVID_NET] if plan.name == "camvid" else []))
        raise DeepLabError(f"--net {one_line(name)}: unknown; {known_names(known, name)}")
    net = _FAMILY[name]
    step = 32 if net.multi_scale else 8
    height, width = (_aligned(length, step) for length in size)
    values = {
        "_${EXP}": f"_{plan.net.name}",
        "${NUM_LABELS}": str(labels),
        "${CROP_HEIGHT}": str(height),
        "${CROP_WIDTH}": str(width),
    }
    texts = {"test.prototxt": net.test()}
    if not net.multi_scale:
        deep = net.backbone == "resnet101"
        passes = _IMAGES if deep else 1
        texts["train.prototxt"] = net.train(plan.net.crop, _IMAGES // passes, _SCALES if deep else ())
        texts["solver.prototxt"] = _SOLVER.format(
            images=_IMAGES,
            rate="2.5e-4" if deep else "0.001",
            iterations=plan.net.iterations,
            passes=passes,
        )
    filled = {}
    for file, text in texts.items():
        for variable, value in values.items():
            text = _without_comment(text).replace(variable, value)
        filled[file] = text
    return NetFiles(filled, "fc8" if net.backbone == "vgg16" else "fc1")


def _aligned(length: int, step: int) -> int:
    """The least size step * k + 1 that holds `length`."""
    return -(-(length - 1) // step) * step + 1


def _without_comment(text: str) -> str:
    """The text from its first field on: the comment before it tells of variables that are filled in here."""
    return text[text.find("\nname:") + 1 :] if text.startswith("#") and "\nname:" in text else text


def _camvid(size: tuple[int, int]) -> NetFiles:
    folder = asset(f"prototxt/{CAMVID_NET}")
    values = {
        f"prototxt/{CAMVID_NET}/": "${EXP}/config/${NET_ID}/",
        "camvid-output/camvid_largefov": "${EXP}/model/${NET_ID}/train",
        "${CROP}": str(_aligned(max(size), 8)),
    }
    texts = {}
    for name in ("train.prototxt", "test.prototxt", "solver.prototxt", "label_weights.txt"):
        text = (folder / name).read_text(encoding="utf-8")
        for old, new in values.items():
            text = text.replace(old, new)
        texts[name] = text
    try:
        initial = asset(f"weights/{CAMVID_NET}_initial.caffemodel")
    except DeepLabError:  # only a checkout has it
        initial = asset(f"weights/{CAMVID_NET}.caffemodel")
    return NetFiles(texts, "fc8", initial, normalised=True)
