"""Window files, as WindowData reads them: images, each with windows, their classes and overlaps."""

from dataclasses import dataclass

from ..errors import DeepLabError
from .image_list import read_lines


@dataclass(frozen=True)
class Box:
    """A window: the image's path, columns x1..x2 and rows y1..y2, ends included; where it stands."""

    image: str
    label: int
    x1: int
    y1: int
    x2: int
    y2: int
    where: str


@dataclass(frozen=True)
class WindowFile:
    """The windows that are objects and those that are none, and the channels of all images."""

    foreground: list[Box]
    background: list[Box]
    channels: int


def read_window_file(source: str, root: str, fg_threshold: float, bg_threshold: float) -> WindowFile:
    """Reads `# index, path, channels, height, width, count, then label overlap x1 y1 x2 y2` a window.

    A window whose overlap is fg_threshold or more is an object; one below bg_threshold has label 0; the
    others are left out. root goes before the paths. Raises DeepLabError that names file and line.
    """
    words = [(word, number) for number, line in read_lines(source) for word in line.split()]
    words.reverse()
    last = words[0][1]
    foreground: list[Box] = []
    background: list[Box] = []
    kinds: set[int] = set()

    def take(what: str) -> str:
        if not words:
            raise DeepLabError(f"{source}:{last}: the file ends before {what}")
        return words.pop()[0]

    def number(what: str) -> int:
        line = words[-1][1] if words else last
        text = take(what)
        try:
            return int(text)
        except ValueError:
            raise DeepLabError(f"{source}:{line}: {what}: {text} given, a whole number wanted") from None

    while words:
        line = words[-1][1]
        if take("an image") != "#":
            raise DeepLabError(f"{source}:{line}: `# index` wanted, with which an image begins")
        number("the index")
        image = root + take("the image's path")
        kinds.add(number("the channels"))
        if not kinds <= {1, 3} or len(kinds) > 1:
            raise DeepLabError(f"{source}:{line}: images of {sorted(kinds)} channels; 3 or 1 wanted, for all")
        number("the height")
        number("the width")
        for _ in range(number("the number of windows")):
            where = f"{source}:{words[-1][1] if words else last}"
            label, text = number("the label"), take("the overlap")
            try:
                overlap = float(text)
            except ValueError:
                raise DeepLabError(f"{where}: overlap: {text} given, a number wanted") from None
            x1, y1, x2, y2 = (number(name) for name in ("x1", "y1", "x2", "y2"))
            if overlap >= fg_threshold:
                if label < 1:
                    raise DeepLabError(f"{where}: label {label} of an object, 1 or more wanted")
                foreground.append(Box(image, label, x1, y1, x2, y2, where))
            elif overlap < bg_threshold:
                background.append(Box(image, 0, x1, y1, x2, y2, where))
    return WindowFile(foreground, background, kinds.pop())
