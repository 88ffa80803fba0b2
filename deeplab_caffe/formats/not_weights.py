"""What people take for weights: pointers, pages and prototxts under the name of a caffemodel."""

import os
import re

from ..errors import DeepLabError
from .files import open_file, reading

_HEAD = 4096  # bytes that tell
_LFS = b"version https://git-lfs.github.com/spec/"
_PAGE = re.compile(rb"\s*(<!doctype html|<html|<\?xml|<head)", re.IGNORECASE)
_PROTOTXT = re.compile(rb"^\s*(layers?\s*:?\s*[{<]|(name|input|net|train_net)\s*:\s*[\"'])", re.MULTILINE)


def what_instead(path: str | os.PathLike[str]) -> str:
    """What the file is, if that is a well-known mistake, and what to do; "" otherwise, or if unreadable."""
    try:
        with open_file(path) as file, reading(path):
            head = file.read(_HEAD)
    except DeepLabError:
        return ""
    if head.startswith(_LFS):
        return "a pointer of Git LFS, not the weights: `git lfs pull` fetches them"
    if _PAGE.match(head):
        return "a web page, not weights: the download gave a page; follow its link in a browser"
    text = not re.search(rb"[\0-\x08\x0e-\x1f]", head)
    if text and _PROTOTXT.search(head):
        return "a prototxt, which has no weights: it belongs to --model (or --solver)"
    return ""
