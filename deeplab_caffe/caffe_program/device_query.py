"""`caffe device_query`: what torch tells about the GPUs."""

from ..errors import DeepLabError
from ..ops.devices import usable_device
from .gpus import gpu_numbers
from .programs import Call

COMMON = "common.cpp"


def main(call: Call) -> int:
    """Prints a line for each property of each GPU; an error where there is no such GPU."""
    import torch

    text = call.flags.text("gpu")
    call.log.info("caffe.cpp", f"Querying GPUs {text}")
    numbers = gpu_numbers(text)
    if not numbers:
        raise DeepLabError("--gpu: missing, the numbers of GPUs wanted, or all")
    for number in numbers:
        usable_device(f"cuda:{number}")
        found = torch.cuda.get_device_properties(number)
        for name, value in (
            ("Device id", number),
            ("Major revision number", found.major),
            ("Minor revision number", found.minor),
            ("Name", found.name),
            ("Total global memory", found.total_memory),
            ("Number of multiprocessors", found.multi_processor_count),
        ):
            call.log.info(COMMON, f"{name + ':':<31}{value}")
    return 0
