"""The exception users meet, a single clear line that the command line ends with, and the warning."""


class DeepLabError(ValueError):
    """Something the user can mend; its text is one line that names file, layer and field where known."""


class DeepLabWarning(UserWarning):
    """Something that is allowed but seldom meant; one line, too."""
