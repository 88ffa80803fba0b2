"""The flag --backend of the programs that read and write databases."""

from ..errors import DeepLabError


def check_backend(name: str) -> None:
    """DeepLabError for anything but lmdb."""
    if name == "leveldb":
        raise DeepLabError("backend leveldb: LevelDB is not supported; lmdb is (docs/caffe-program.md)")
    if name != "lmdb":
        raise DeepLabError(f"backend {name}: lmdb wanted")
