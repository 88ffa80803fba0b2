"""The exception users meet, a single clear line that the command line ends with, and the warning.

Beside numpy every package is optional; what is missing is told with the extra that brings it.
"""

# Of a module that may be missing: the package it is in and the extra of ours that installs it.
_EXTRAS = {
    "PIL": ("pillow", "cli"),
    "google": ("protobuf", "torch"),
    "h5py": ("h5py", "hdf5"),
    "jinja2": ("jinja2", "torch"),
    "matplotlib": ("matplotlib", "plots"),
    "networkx": ("networkx", "torch"),
    "rich": ("rich", "cli"),
    "tomli": ("tomli", "torch"),
    "torch": ("torch", "torch"),
    "typer": ("typer", "cli"),
    "typing_extensions": ("typing_extensions", "torch"),
}


class DeepLabError(ValueError):
    """Something the user can mend; its text is one line that names file, layer and field where known."""


class DeepLabWarning(UserWarning):
    """Something that is allowed but seldom meant; one line, too."""


def missing_package(error: ModuleNotFoundError, who: str = "this") -> str | None:
    """The line that says what to install; None where the module is none of our optional ones."""
    package, extra = _EXTRAS.get((error.name or "").partition(".")[0], ("", ""))
    return f"{who} needs {package}: pip install 'deeplab_caffe[{extra}]'" if package else None
