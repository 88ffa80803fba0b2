"""The dense CRF's parameters on the command line, where a value out of range is the option's error."""

from typing import Annotated, Any

import typer

from ..crf.parameters import lacking, shown
from ..errors import DeepLabError


def crf_option(field: str, *names: str, help: str) -> Any:
    """A typer option with a number for that field of CRFParameters, called `names` or as the field is."""

    def checked(parameter: typer.CallbackParam, value: float) -> float:
        if wanted := lacking(field, value):
            raise DeepLabError(f"{parameter.opts[-1]} {shown(value)}: {wanted} wanted")
        return value

    return typer.Option(*names, callback=checked, help=help)


UseCrf = Annotated[bool, typer.Option("--crf", help="Refine the scores with a dense CRF.")]
Iterations = Annotated[int, crf_option("iterations", help="CRF: mean-field iterations.")]
PosStd = Annotated[float, crf_option("pos_std", help="CRF: std of the position kernel, pixels.")]
PosW = Annotated[float, crf_option("pos_w", help="CRF: its weight; 0 leaves it out.")]
BiXyStd = Annotated[float, crf_option("bi_xy_std", help="CRF: std of the bilateral kernel, pixels.")]
BiRgbStd = Annotated[float, crf_option("bi_rgb_std", help="CRF: its std of colours, grey levels.")]
BiW = Annotated[float, crf_option("bi_w", help="CRF: its weight; 0 leaves it out.")]
