"""What the three programs that upgrade files have in common."""

from ..errors import DeepLabError
from ..formats.files import replacing
from ..formats.prototxt import read_text
from ..formats.upgrade_text import upgrade_text
from .programs import Call

UNREADABLE = 2


def upgrade_file(call: Call, place: str, solver: bool) -> int:
    """Upgrades a text; its comments stay. 0 is done; 2: it cannot be read, or is not of that kind."""
    source, target = call.arguments
    kind = "SolverParameter" if solver else "NetParameter"
    try:
        text = read_text(source)
        upgraded = upgrade_text(text, source)
        if (upgraded.was == "solver") != solver:
            raise DeepLabError(f"{source}: {'no solver' if solver else 'no net'} in it")
    except DeepLabError as error:
        call.log.error(place, f"Failed to parse input text file as {kind}: {error}")
        return UNREADABLE
    if upgraded.text == text:
        call.log.error(place, f"File already in latest proto format: {source}")
    for remark in upgraded.remarks:
        call.log.warning(place, remark)
    with replacing(target) as file:
        file.write(upgraded.text.encode())
    call.log.info(place, f"Wrote upgraded {kind} text proto to {target}")
    return 0
