"""`deeplab-caffe caffe`: Caffe's own programs, for the scripts that call them."""

from typing import Annotated

import typer

from .options import verb


@verb("caffe", plain=True)
def caffe(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="COMMAND --flag=value ...", show_default=False)
    ] = None,
) -> int:
    """Caffe's command line as it is: train, test, time, save, device_query; convert_imageset and others.

    Flags, log lines and exit codes are Caffe's: `--solver=FILE`, `-gpu 0` ...; `--help`
    lists them.
    """
    from ..caffe_program import PROGRAMS, run

    words = words or []
    # An action of the program `caffe`, or another program.
    if words and words[0] in PROGRAMS and words[0] not in ("caffe", "device_query"):
        return run(words[0], words[1:])
    return run("caffe", words)
