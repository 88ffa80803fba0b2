"""`upgrade_net_proto_text`: a net's prototxt of V0 or V1 in today's layout."""

from .flags import Flag
from .programs import Call
from .upgrading import upgrade_file

USAGE = "upgrade_net_proto_text OLD_NET NEW_NET"
FLAGS: tuple[Flag, ...] = ()
ARGUMENTS = (2, 2)


def main(call: Call) -> int:
    """Upgrades the net; see upgrade_file."""
    return upgrade_file(call, "upgrade_net_proto_text.cpp", solver=False)
