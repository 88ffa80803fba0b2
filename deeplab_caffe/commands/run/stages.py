"""The stages of the original run scripts: train, test, train2, test2, CRF, evaluation.

Each stage becomes commands of this program; the file says what, `plan` says how.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...errors import DeepLabError, known_names, one_line
from ...images import image_list
from .config import SECTIONS, Config

if TYPE_CHECKING:
    from ...solver import Settings


@dataclass(frozen=True)
class Command:
    """Arguments of `deeplab-caffe` that belong to a stage."""

    stage: str
    arguments: list[str]


def plan(config: Config, only: list[str] | None = None) -> list[Command]:
    """The commands of the stages in `only` (default: all the file has), in order."""
    for stage in only or []:
        if stage not in SECTIONS:
            raise DeepLabError(f"stage {one_line(stage)}: unknown; {known_names(SECTIONS, stage)}")
        if stage not in config.stages:
            raise DeepLabError(f"{config.source}: {stage}: no such section")
    planner = _Planner(config)
    makers = {
        "train": lambda: planner.train("train"),
        "test": lambda: planner.test("test"),
        "train2": lambda: planner.train("train2"),
        "test2": lambda: planner.test("test2"),
        "crf": planner.crf,
        "evaluation": planner.evaluation,
    }
    wanted = [stage for stage in SECTIONS if stage in (only or config.stages)]
    return [Command(stage, arguments) for stage in wanted for arguments in makers[stage]()]


class _Planner:
    """Writes the commands of each stage.

    Results of a test stage lie under OUTPUT/STAGE/SET: the features, crf/, evaluation/ and evaluation_crf/.
    """

    def __init__(self, config: Config) -> None:
        self.config, self.stages = config, config.stages

    def train(self, stage: str) -> list[list[str]]:
        """Goes on from the newest snapshot, if there is one, else starts from the weights."""
        section = self.stages[stage]
        weights = section.weights
        if stage == "train2" and not weights and "train" in self.stages:
            weights = self._learnt("train")
        commands = []
        if section.unfold:
            if not weights:
                raise DeepLabError(f"{self.config.source}: {stage}.weights: missing, as unfold needs it")
            plain, weights = weights, f"{self.config.output}/{stage}/unfolded.caffemodel"
            unfold = ["unfold", "--model", section.unfold, "--weights", plain, "-o", weights]
            seed = str(self._settings(stage).seed)
            commands.append([*unfold, "--seed", seed, *self._set(TRAIN_SET=section.set)])
        arguments = ["train", "--solver", section.solver, "--snapshot", "auto"]
        arguments += ["--weights", weights] if weights else []
        return [*commands, arguments + self._options(section.precision, TRAIN_SET=section.set)]

    def test(self, stage: str) -> list[list[str]]:
        """Runs the net over each list, which writes features and prints accuracies."""
        section = self.stages[stage]
        commands = []
        weights = section.weights
        if not weights:
            training = "train2" if stage == "test2" else "train"
            if training not in self.stages:
                raise DeepLabError(f"{self.config.source}: {stage}.weights: missing, as is [{training}]")
            weights = self._learnt(training)
            if section.fold:
                learnt, weights = weights, f"{self.config.output}/{stage}/folded.caffemodel"
                fold = ["fold", "--model", section.fold, "--weights", learnt, "-o", weights]
                commands.append(fold + self._set(TRAIN_SET=self.stages[training].set))
        for test_set in section.sets:
            count = len(image_list.read_lines(self._list(test_set)))
            arguments = ["test", "--model", section.model, "--weights", weights, "--iterations", str(count)]
            features = f"{self.config.output}/{stage}"
            commands.append(
                arguments + self._options(section.precision, TEST_SET=test_set, FEATURE_DIR=features)
            )
        return commands

    def crf(self) -> list[list[str]]:
        """Refines the features of all test stages."""
        flags = {"iterations": "-i", "pos_w": "-pw", "bi_w": "-bw"}
        flags |= {"pos_std": "-px -py", "bi_xy_std": "-bx -by", "bi_rgb_std": "-br -bg -bb"}
        crf = self.stages["crf"]
        parameters = [
            word
            for name, names in flags.items()
            for flag in names.split()
            for word in (flag, f"{getattr(crf, name):g}")
        ]
        return [
            ["refine-pascal", *self._images(test_set), "-fd", features, "-sd", f"{folder}/crf", *parameters]
            for folder, test_set, features in self._tests()
        ]

    def evaluation(self) -> list[list[str]]:
        """Measures the features of all test stages, and what the CRF made of them."""
        section = self.stages["evaluation"]
        options = ["--palette", section.palette, "--trimap", ",".join(map(str, section.trimap))]
        commands = []
        for folder, test_set, features in self._tests():
            results = {"evaluation": features}
            if "crf" in self.stages:
                results["evaluation_crf"] = f"{folder}/crf"
            for name, predictions in results.items():
                given = ["--predictions", predictions, *options, "-o", f"{folder}/{name}"]
                commands.append(["eval", *self._images(test_set), *given])
        return commands

    def _tests(self) -> list[tuple[str, str, str]]:
        """Folder, list and features of each list of each test stage."""
        found = []
        for stage in ("test", "test2"):
            if stage in self.stages:
                section = self.stages[stage]
                for test_set in section.sets:
                    folder = f"{self.config.output}/{stage}/{test_set}"
                    found.append((folder, test_set, f"{folder}/{section.features}"))
        if not found:
            raise DeepLabError(f"{self.config.source}: test: missing; CRF and evaluation need its results")
        return found

    def _list(self, name: str) -> str:
        return f"{self.config.variable('EXP')}/list/{name}.txt"

    def _images(self, name: str) -> list[str]:
        return ["--list", self._list(name), "--root", self.config.variable("DATA_ROOT")]

    def _learnt(self, stage: str) -> str:
        """The caffemodel that a training stage ends with."""
        from ...solver.snapshot import paths

        settings = self._settings(stage)
        return paths(settings.prefix, settings.param.max_iter)[0]

    def _settings(self, stage: str) -> "Settings":
        from ...solver import read_settings

        section = self.stages[stage]
        variables = self.config.variables | {"NET_ID": self.config.name, "TRAIN_SET": section.set}
        return read_settings(section.solver, variables)

    def _options(self, precision: str, **variables: str) -> list[str]:
        options = self._set(**variables) + ["--device", self.config.device, "--precision", precision]
        return options + (["--threads", str(self.config.threads)] if self.config.threads else [])

    def _set(self, **variables: str) -> list[str]:
        values = {"NET_ID": self.config.name} | self.config.variables | variables
        return [word for name, value in values.items() for word in ("--set", f"{name}={value}")]
