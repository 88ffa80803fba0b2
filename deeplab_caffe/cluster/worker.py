"""What runs in a worker's process."""

import os
import sys
import warnings
from typing import Any, NamedTuple

from ..assets import package_version
from ..errors import DeepLabError, DeepLabWarning, one_line
from .terms import Make, Work

Answer = tuple[str | None, Any, list[str]]  # an error's text, else the result; warnings


class Place(NamedTuple):
    """What a worker must share with the process that gives it work."""

    folder: str
    version: str


def here() -> Place:
    """This process's."""
    return Place(os.getcwd(), package_version())


class Worker:
    """An actor: it keeps what `make` made, a net with its packed weights say, and works through items."""

    def start(self, make: Make[Any, Any], threads: int, place: Place) -> Answer:
        """Makes the work; relative paths mean what they mean where the command was given."""
        self._work: Work[Any, Any]

        def made(make: Make[Any, Any]) -> None:
            host = os.uname().nodename
            if not os.path.isdir(place.folder):
                raise DeepLabError(
                    f"{host} has no folder {place.folder}: give the command in one that all machines see"
                )
            os.chdir(place.folder)
            if (own := here().version) != place.version:
                raise DeepLabError(f"{host} has deeplab_caffe {own}, this machine {place.version}")
            self._work = make(threads)

        return _answer(made, make)

    def work(self, item: Any) -> Answer:
        """Does one item."""
        return _answer(self._work, item)


def _answer(function: Work[Any, Any], item: Any) -> Answer:
    """What the function gives or says."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DeepLabWarning)
        try:
            error, result = None, function(item)
        except DeepLabError as wrong:
            error, result = str(wrong), None
    texts = [one_line(str(one.message)) for one in caught if issubclass(one.category, DeepLabWarning)]
    for one in caught:
        if not issubclass(one.category, DeepLabWarning):
            print(one.message, file=sys.stderr)  # into Ray's log
    return error, result, texts
