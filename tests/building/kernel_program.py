"""The program of kernel_hashes.cpp, built for some machine with some compiler."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[2]


def sources(pattern):
    """Kernels of the CPU, without what belongs to Python's module."""
    files = ROOT.glob(f"csrc/{pattern}")
    return [path for path in files if not path.name.startswith(("bind", "module", "fork"))]


def build(build_ninja, cxx, machine, folder, compile_flags=("-O2",), link_flags=("-static",)):
    """The program with all kernels that a build for `machine` has."""
    graph = build_ninja.Graph(ROOT, folder, build_ninja.Tools([cxx], [], machine))
    command = graph.cxx(*compile_flags)
    jobs = [
        (path, "once", command)
        for path in [*sources("*/*.cpp"), Path(__file__).with_name("kernel_hashes.cpp")]
    ]
    for pattern, name, flags in build_ninja.copies(graph.tools):
        jobs += [(path, name, [*command, *flags]) for path in sources(pattern.removeprefix("csrc/"))]

    def compile(job):
        path, isa, compiler = job
        made = folder / f"{path.parent.parent.name}-{path.stem}-{isa}.o"
        subprocess.run([*compiler, "-c", path, "-o", made], cwd=ROOT, check=True)
        return made

    folder.mkdir()
    with ThreadPoolExecutor(build_ninja.cores()) as pool:
        objects = list(pool.map(compile, jobs))
    program = folder / "kernel_hashes"
    subprocess.run([cxx, "-fopenmp", *link_flags, *objects, "-o", program], check=True)
    return program
