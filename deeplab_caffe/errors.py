"""The one exception users meet: a single clear line, which the command line turns into exit code 2."""


class DeepLabError(ValueError):
    """Something the user can mend; its text is one line that names file, layer and field where known."""
