"""Python programs in processes that are new but for torch, which takes two seconds to load.

They are forked from one that has loaded it and done nothing else: this file as a program. It reads lines of
JSON, the arguments, folder, environment and input of a process, and answers each with its exit code, stdout
and stderr.
"""

import atexit
import json
import os
import runpy
import select
import signal
import subprocess
import sys
import tempfile
import traceback
import types
from functools import cache
from pathlib import Path


def run(*arguments, cwd=None, env=None, input="", timeout=None):
    """As `subprocess.run([sys.executable, *arguments], ...)` with text, captured.

    arguments: as Python takes them: -c and code, -m and a module, or a script; then the program's own.
    """
    words = list(map(str, arguments))
    environment = dict(os.environ if env is None else env)
    if not hasattr(os, "fork"):
        how = {"cwd": cwd, "env": environment, "input": input, "text": True, "capture_output": True}
        return subprocess.run([sys.executable, *words], **how, check=False)
    server = _server()
    request = words, os.path.abspath(cwd or "."), environment, input
    print(json.dumps(request), file=server.stdin, flush=True)
    if not select.select([server.stdout], [], [], timeout)[0]:
        os.killpg(server.pid, signal.SIGKILL)
        _server.cache_clear()
        raise subprocess.TimeoutExpired(words, timeout)
    return subprocess.CompletedProcess(words, *json.loads(server.stdout.readline()))


@cache
def _server():
    command = [sys.executable, __file__]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    server = subprocess.Popen(command, **pipes, cwd=Path(__file__).parent, start_new_session=True)
    atexit.register(server.communicate)  # which closes its stdin, so that it ends
    return server


def _serve():
    import torch  # noqa: F401

    path = sys.path[1 + len(_python_path(os.environ)) :]
    for line in sys.stdin:
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            child = os.fork()
            if not child:
                _become(*json.loads(line), path, output.fileno(), errors.fileno())
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            texts = []
            for file in (output, errors):
                file.seek(0)
                texts.append(file.read().decode())
        print(json.dumps([code, *texts]), flush=True)


def _python_path(environment):
    return list(filter(None, environment.get("PYTHONPATH", "").split(os.pathsep)))


def _become(words, folder, environment, given, path, output, errors):
    """In the child: never returns."""
    code = 1
    try:
        with tempfile.TemporaryFile() as file:
            file.write(given.encode())
            file.seek(0)
            os.dup2(file.fileno(), 0)
        sys.stdin = open(0, closefd=False)
        os.dup2(output, 1)
        os.dup2(errors, 2)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.path[:] = ["", *_python_path(environment), *path]
        _run(*words)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if code and not isinstance(end.code, int):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _run(first, *words):
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    if first == "-c":
        sys.argv = ["-c", *words[1:]]
        exec(compile(words[0], "<string>", "exec"), main.__dict__)
    elif first == "-m":
        sys.path[0] = os.getcwd()
        sys.argv = list(words)
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = str(Path(first).resolve().parent)
        sys.argv = [first, *words]
        runpy.run_path(first, run_name="__main__")


if __name__ == "__main__":
    _serve()
