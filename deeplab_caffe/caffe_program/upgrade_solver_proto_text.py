"""`upgrade_solver_proto_text`: a solver's prototxt in today's layout."""

from .flags import Flag
from .programs import Call
from .upgrading import upgrade_file

USAGE = "upgrade_solver_proto_text OLD_SOLVER NEW_SOLVER"
FLAGS: tuple[Flag, ...] = ()
ARGUMENTS = (2, 2)


def main(call: Call) -> int:
    """Upgrades the solver; see upgrade_file."""
    return upgrade_file(call, "upgrade_solver_proto_text.cpp", solver=True)
