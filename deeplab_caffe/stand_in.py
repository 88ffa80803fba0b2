"""A package of ours under the top-level name of another that old scripts import."""

import importlib
import importlib.util
import os
import runpy
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from .errors import DeepLabError

_USAGE = """usage: python -m {ours} (SCRIPT.py | -m MODULE) [ARGUMENT ...]

Runs a Python script or module in which `import {name}` gives {ours}, as in the Python
processes that it starts."""


@dataclass(frozen=True)
class StandIn:
    """The package `ours` (its full name) for the top-level `name`.

    toplevel: a folder that holds a module of that name, which calls `install`, for other Python processes.
    """

    name: str
    ours: str
    toplevel: Path

    def install(self, submodules: Iterable[str], aliases: Mapping[str, ModuleType] | None = None) -> None:
        """From now on `import name` gives the package, and `import name.x` its submodules of these names.

        aliases: modules from elsewhere, by their names below the package. Also in processes that
        multiprocessing starts. Raises DeepLabError if another package of that name was imported before.
        """
        ours = sys.modules[self.ours]
        there = sys.modules.get(self.name)
        file = getattr(there, "__file__", None)
        if there not in (None, ours) and not (file and Path(file).resolve().parent == self.toplevel):
            raise DeepLabError(f"{self.name} was imported before from {file}: call install() earlier")
        sys.modules[self.name] = ours
        found = {name: importlib.import_module(f"{self.ours}.{name}") for name in submodules}
        for name, module in {**found, **(aliases or {})}.items():
            sys.modules[f"{self.name}.{name}"] = module
        if str(self.toplevel) not in sys.path:
            sys.path.insert(0, str(self.toplevel))

    def main(self, arguments: list[str]) -> int:
        """Runs a script whose `name` is the package; 2 where there is none to run."""
        usage = _USAGE.format(ours=self.ours, name=self.name)
        if arguments[:1] in (["-h"], ["--help"]):
            print(usage)
            return 0
        is_module = arguments[:1] == ["-m"]
        arguments = arguments[is_module:]
        if not arguments:
            print(usage, file=sys.stderr)
            return 2
        if not (_is_there(arguments[0]) if is_module else Path(arguments[0]).exists()):
            print(f"{arguments[0]}: no such {'module' if is_module else 'script'}", file=sys.stderr)
            return 2
        try:
            sys.modules[self.ours].install()
        except DeepLabError as error:
            print(error, file=sys.stderr)
            return 2
        paths = [str(self.toplevel), *filter(None, [os.environ.get("PYTHONPATH")])]
        os.environ["PYTHONPATH"] = os.pathsep.join(paths)
        sys.argv = arguments
        if is_module:
            runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
        else:
            # What `python script.py` has in front.
            sys.path.insert(0, str(Path(arguments[0]).resolve().parent))
            runpy.run_path(arguments[0], run_name="__main__")
        return 0


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # of the package that it is in
        return False
