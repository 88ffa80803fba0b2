"""The flag --gpu: which devices a program runs on."""

from ..errors import DeepLabError
from ..ops.devices import usable_device
from .glog import Log

CPU = "cpu"


def gpu_numbers(text: str) -> list[int]:
    """The GPUs that --gpu names: "0,2", or "all"; none for "". DeepLabError for anything else."""
    import torch

    if text == "all":
        return list(range(torch.cuda.device_count())) or [0]
    try:
        numbers = [int(part) for part in text.split(",")] if text else []
    except ValueError:
        raise DeepLabError(f"--gpu={text}: numbers of GPUs wanted, such as 0 or 0,1, or all") from None
    # DeepLab v1 says -1 for the CPU.
    return [number for number in numbers if number >= 0]


def choose(text: str, log: Log) -> list[str]:
    """The devices, at least one; the CPU, with a warning, where a GPU is asked for and cannot be had."""
    numbers = gpu_numbers(text)
    try:
        devices = [str(usable_device(f"cuda:{number}")) for number in numbers]
    except DeepLabError as error:
        log.warning("caffe.cpp", f"--gpu={text}: going on on the CPU: {error}")
        devices = []
    if not devices or CPU in devices:
        log.info("caffe.cpp", "Use CPU.")
        return [CPU]
    log.info("caffe.cpp", f"Using GPUs {', '.join(map(str, numbers))}")
    return devices
