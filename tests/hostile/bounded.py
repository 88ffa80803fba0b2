"""Command lines in processes of their own, forked from one that has loaded what they need.

A program: reads lines of JSON, each the arguments of a command line, and answers each with a line of JSON:
exit code, what stderr got, and by how many bytes the process's peak of memory grew.
"""

import json
import os
import resource
import sys
import tempfile
import traceback

import h5py  # noqa: F401
import numpy  # noqa: F401
import torch  # noqa: F401

import deeplab_caffe.evaluation.evaluation
import deeplab_caffe.formats.weights
import deeplab_caffe.segmenter.segmenter  # noqa: F401
from deeplab_caffe.commands import main


def _peak() -> int:
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _run(arguments: list[str], output: int, errors: int) -> None:
    """In the child: never returns."""
    code, before = 99, _peak()
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(errors, 2)
        code = main(arguments)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os.write(output, str(_peak() - before).encode())
        os._exit(code)


def _serve() -> None:
    for line in sys.stdin:
        arguments = json.loads(line)
        read, write = os.pipe()
        with tempfile.TemporaryFile() as errors:
            child = os.fork()
            if not child:
                _run(arguments, write, errors.fileno())
            os.close(write)
            with os.fdopen(read) as pipe:
                grown = int(pipe.read() or -1)
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            errors.seek(0)
            print(json.dumps([code, errors.read().decode(), grown]), flush=True)


if __name__ == "__main__":
    _serve()
