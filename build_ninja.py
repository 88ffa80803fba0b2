"""What is compiled, with which flags: one build.ninja for all native modules.

csrc/<subject>/*.cpp            once
csrc/<subject>/simd/*.cpp       once per instruction set
csrc/<subject>/bf16/*.cpp       once, each for instructions of its own
csrc/<subject>/cuda/*.cu        with nvcc for _cuda, with the C++ compiler for _cuda_emulated
csrc/<subject>/cuda/*.cpp       once, for both
csrc/platform/emulator/*.cpp    for _cuda_emulated

Nothing outside an explicit fma may be contracted (-ffp-contract=off, --fmad=false) and nothing reassociated
(no -ffast-math): the results are promised to the last bit. The flags here decide that.
"""

import fcntl
import io
import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import build_cuda

COMMON = [
    "-std=c++17",
    "-O3",
    "-g0",
    "-DNDEBUG",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fwrapv",
    "-fopenmp",
    "-fvisibility=hidden",
    "-fPIC",
]
# What DEEPLAB_CAFFE_SANITIZE=address,undefined puts in their place and adds.
SANITIZED = {"-O3": "-O1", "-g0": "-g1"}
NVCC_FLAGS = ["-std=c++17", "-O3", "--fmad=false", "-Xptxas", "-v", "-Icsrc"]
# csrc/*/simd/*.cpp is compiled once per entry, in the namespace the macro ISA names.
PORTABLE: dict[str, list[str]] = {"portable": []}
X86 = {
    "avx2": ["-mavx2", "-mfma"],
    "avx512": "-mavx512f -mavx512vl -mavx512bw -mavx512dq -mfma -mprefer-vector-width=512".split(),
}
ARM: dict[str, list[str]] = {"neon": []}
# csrc/*/bf16/<name>.cpp: its namespace ISA, the set whose vectors it uses, and further flags.
BF16 = {"plain": ("portable", "portable", [])}
_PAIRS = ["-mavx512bf16"]
X86_BF16 = {
    "avx512": ("avx512bf16", "avx512", _PAIRS),
    "amx": ("amx", "avx512", [*_PAIRS, "-mamx-tile", "-mamx-bf16"]),
}
# What tells the sources which copies there are.
HAVE = {"x86": ["-DHAVE_X86=1"], "arm": ["-DHAVE_NEON=1"]}
HAVE_BF16 = "-DHAVE_X86_BF16=1"
# Host code of the CPU's module that the device modules use too.
SHARED = ["csrc/conv/conv_plan.cpp"]
# What DEEPLAB_CAFFE_WARNINGS=1 checks; the pragmas are nvcc's.
WARNINGS = "-fsyntax-only -Werror -Wall -Wextra -Wshadow -Wconversion -Wno-unknown-pragmas"
# They only pass calls on: optimising them more takes a third longer and gains nothing.
BINDINGS = ["-O1"]
# Other forms of kernels, to be measured beside today's (csrc/platform/cuda/switches.h): what each is compiled
# into. DEEPLAB_CAFFE_VARIANTS=ignore_source,fused_blur (or all) builds _cuda_ignore_source...
VARIANTS = {
    "ignore_source": ("csrc/conv/cuda/tensor_core_????.cu",),
    "consumer_fence": ("csrc/conv/cuda/tensor_core_????.cu",),
    "cluster_weights": ("csrc/conv/cuda/tensor_core_????.cu",),
    "register_banks": ("csrc/conv/cuda/atrous_conv.cu",),
    "fused_blur": ("csrc/crf/cuda/lattice_filter.cu",),
}
# What the name of the module and its targets are compiled into.
PER_MODULE = ["csrc/platform/module.cpp", "csrc/platform/cuda/bind.cpp"]


@dataclass
class Tools:
    """What compiles, and for what."""

    cxx: list[str]
    includes: list[str]  # folders of pybind11 and Python
    machine: str  # "x86", "arm" or another
    nvcc: Path | None = None
    targets: tuple[str, ...] = ()

    @cached_property
    def bf16(self) -> bool:
        """Whether the compiler knows the instructions of X86_BF16 (g++ does from version 11 on)."""
        flags = [flag for *_, flags in X86_BF16.values() for flag in flags]
        command = [*self.cxx, *flags, "-fsyntax-only", "-x", "c++", os.devnull]
        return self.machine == "x86" and not subprocess.run(command, capture_output=True).returncode


def copies(tools: Tools) -> Iterator[tuple[str, str, list[str]]]:
    """Of what is compiled for certain instructions: pattern of the sources, name and flags of a copy."""
    sets = instruction_sets(tools.machine)
    for isa, flags in sets.items():
        yield "csrc/*/simd/*.cpp", isa, [f"-DISA={isa}", f"-DISA_{isa.upper()}=1", *flags]
    for name, (space, isa, flags) in (BF16 | (X86_BF16 if tools.bf16 else {})).items():
        macros = [f"-DISA={space}", f"-DISA_{isa.upper()}=1"]
        yield f"csrc/*/bf16/{name}.cpp", f"bf16_{name}", [*macros, *sets[isa], *flags]


def instruction_sets(machine: str) -> dict[str, list[str]]:
    """The copies of csrc/*/simd that a build for `machine` has, with their flags."""
    return PORTABLE | (X86 if machine == "x86" else ARM if machine == "arm" else {})


def sanitizers() -> list[str]:
    """The compiler's flags for the checks at run time that DEEPLAB_CAFFE_SANITIZE names."""
    names = os.environ.get("DEEPLAB_CAFFE_SANITIZE", "")
    return [f"-fsanitize={names}", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"] if names else []


def find_cxx() -> list[str]:
    """The C++ compiler as a command; one line instead of a traceback if there is none."""
    named = shlex.split(os.environ.get("CXX", ""))
    looked_for = named[:1] or ["g++", "c++", "clang++"]
    found = next((name for name in looked_for if shutil.which(name)), None)
    if found is None:
        where = "as CXX says" if named else "on PATH"
        raise SystemExit(f"No C++ compiler: no {', '.join(looked_for)} {where}; install g++, or set CXX")
    return named or [found]


def find_tools(root: Path, folder: Path, nvcc: Path | None, targets: list[str]) -> Tools:
    """The tools of this machine; pybind11's headers are copied into `folder`."""
    names = {"x86_64": "x86", "amd64": "x86", "aarch64": "arm", "arm64": "arm"}
    machine = names.get(platform.machine().lower(), "other")
    includes = [str(_pybind11_headers(root / folder).relative_to(root)), sysconfig.get_path("include")]
    return Tools(find_cxx(), includes, machine, nvcc, tuple(targets))


def _pybind11_headers(folder: Path) -> Path:
    """pip installs what a build needs somewhere else each time; objects must not depend on where."""
    import pybind11

    copy = folder / f"pybind11-{pybind11.__version__}"
    if not copy.exists():
        unfinished = folder / f"pybind11.{os.getpid()}"
        shutil.copytree(pybind11.get_include(), unfinished)
        unfinished.rename(copy)
    return copy


class Graph:
    """Writes the edges of build.ninja. Paths are relative to the root, where ninja runs."""

    def __init__(self, root: Path, folder: Path, tools: Tools) -> None:
        from ninja import Writer

        self.root, self.folder, self.tools = root, folder, tools
        self.text = io.StringIO()
        self.ninja = Writer(self.text)
        self.made: set[str] = set()
        self.checked: list[str] = []

    def header(self) -> None:
        """The rules."""
        compiled = "-MD -MF $out.d -c $in -o $out"
        n = self.ninja
        n.variable("ninja_required_version", "1.10")
        n.variable("builddir", str(self.folder))
        n.rule("cxx", f"$compiler {compiled}", "$in $what", "$out.d", deps="gcc")
        checked = f"$compiler {WARNINGS} -MD -MF $out.d -MT $out -c $in && touch $out"
        n.rule("check", checked, "$in $what: warnings", "$out.d", deps="gcc")
        # ptxas's report of registers and memory is kept beside the object.
        kept = f"$compiler {compiled} > $log 2>&1 || {{ cat $log; false; }}"
        n.rule("nvcc", kept, "$in for $what", "$out.d", deps="gcc")
        n.rule("link", "$compiler $in -o $out $libraries", "$out")

    def sources(self, pattern: str) -> list[str]:
        """The files of that pattern."""
        return sorted(str(path.relative_to(self.root)) for path in self.root.glob(pattern))

    def compile(self, rule: str, place: str, sources: list[str], command: list[str], what: str) -> list[str]:
        """Objects of `sources`, under `place`."""
        return [str(self._compile(rule, place, source, command, what)) for source in sources]

    def _compile(self, rule: str, place: str, source: str, command: list[str], what: str) -> Path:
        target = self.folder / place / Path(source).relative_to("csrc").with_suffix(".o")
        if str(target) not in self.made:
            self.made.add(str(target))
            variables = {"compiler": quote(command), "what": what}
            log = target.with_suffix(".log")
            if rule == "nvcc":
                variables["log"] = str(log)
            outputs = [str(log)] if rule == "nvcc" else None
            self.ninja.build(str(target), rule, source, variables=variables, implicit_outputs=outputs)
            if rule == "cxx":
                self.checked.append(str(self.folder / "warnings" / target.relative_to(self.folder)))
                self.ninja.build(self.checked[-1], "check", source, variables=variables)
        return target

    def link(self, name: str, objects: list[str], libraries: list[str]) -> Path:
        """The module made of `objects`."""
        shared = ["-bundle", "-undefined", "dynamic_lookup"] if sys.platform == "darwin" else ["-shared"]
        target = self.folder / f"{name}{sysconfig.get_config_var('EXT_SUFFIX')}"
        variables = {
            "compiler": quote([*self.tools.cxx, *shared]),
            "libraries": quote(
                ["-fopenmp", *sanitizers(), *libraries, *shlex.split(os.environ.get("LDFLAGS", ""))]
            ),
        }
        self.ninja.build(str(target), "link", objects, variables=variables)
        self.ninja.default(str(target))
        return target

    def cxx(self, *flags: str) -> list[str]:
        """The command of the C++ compiler."""
        own = shlex.split(os.environ.get("CXXFLAGS", ""))
        common = COMMON
        if checks := sanitizers():
            common = [SANITIZED.get(flag, flag) for flag in COMMON] + checks
        have = HAVE.get(self.tools.machine, []) + [HAVE_BF16] * self.tools.bf16
        return [*self.tools.cxx, *own, *common, "-Icsrc", *have, *flags]

    def host(self, module: str, sources: list[str]) -> list[str]:
        """Objects of what may include pybind11; those that are the same in all modules are made once."""
        command = self.cxx(*(word for path in self.tools.includes for word in ("-isystem", path)))
        macros = [f"-DMODULE={module}"]
        if module != "_C":
            targets = () if module.startswith("_cuda_emulated") else self.tools.targets
            macros.append(f'-DDEVICE_TARGETS="{",".join(targets)}"')
        own = [source for source in sources if source in PER_MODULE]
        common = [source for source in sources if source not in PER_MODULE]
        bindings = [source for source in common if Path(source).name.startswith("bind")]
        others = [source for source in common if source not in bindings]
        return (
            self.compile("cxx", "host", bindings, [*command, *BINDINGS], "")
            + self.compile("cxx", module, own, [*command, *BINDINGS, *macros], f"for {module}")
            + self.compile("cxx", "host", others, self.cxx(), "")
        )

    def cpu(self) -> Iterator[str]:
        """Objects of _C."""
        for pattern, name, flags in copies(self.tools):
            yield from self.compile("cxx", name, self.sources(pattern), self.cxx(*flags), f"for {name}")
        yield from self.host("_C", self.sources("csrc/*/*.cpp"))

    def device_host(self, module: str) -> list[str]:
        """Objects of a device module beside its kernels."""
        return self.host(module, [*self.sources("csrc/*/cuda/*.cpp"), *SHARED, PER_MODULE[0]])

    def kernels(self, rule: str, module: str, base: str, command: list[str], what: str) -> Iterator[str]:
        """Objects of the kernels; of a variant only those that differ are not the base's."""
        variant = module.removeprefix(base).lstrip("_")
        differ = {path for pattern in VARIANTS.get(variant, ()) for path in self.sources(pattern)}
        sources = self.sources("csrc/*/cuda/*.cu")
        yield from self.compile(rule, base, [path for path in sources if path not in differ], command, what)
        own = [*command, f"-DSWITCH_{variant.upper()}=1"]
        yield from self.compile(rule, module, sorted(differ), own, f"{what}, {variant}")

    def cuda(self, module: str = "_cuda") -> Iterator[str]:
        """Objects of _cuda, or of a variant."""
        targets = self.tools.targets
        host = [word for flag in COMMON for word in ("-Xcompiler", flag)]
        command = [str(self.tools.nvcc), *NVCC_FLAGS, *build_cuda.target_flags(list(targets)), *host]
        what = ", ".join(f"sm_{target}" for target in targets)
        yield from self.kernels("nvcc", module, "_cuda", command, what)
        yield from self.device_host(module)

    def emulated(self, module: str = "_cuda_emulated") -> Iterator[str]:
        """Objects of _cuda_emulated, or of a variant."""
        base = "_cuda_emulated"
        includes = [word for path in self.tools.includes for word in ("-isystem", path)]
        command = self.cxx("-march=native", *includes)
        yield from self.kernels("cxx", module, base, [*command, "-x", "c++"], "for the emulator")
        yield from self.compile("cxx", base, self.sources("csrc/platform/emulator/*.cpp"), command, "")
        yield from self.device_host(module)


def quote(words: list[str]) -> str:
    """A command for a value in build.ninja."""
    return shlex.join(words).replace("$", "$$")


def write_graph(root: Path, folder: Path, tools: Tools, modules: list[str]) -> tuple[str, dict[str, Path]]:
    """build.ninja's text, and where it makes which module."""
    graph = Graph(root, folder, tools)
    graph.header()
    # Kernels take the longest and come first: the tail is short then.
    libraries = build_cuda.link_flags(tools.nvcc) if tools.nvcc and "_cuda" in modules else []
    made = {}
    for name in sorted(modules, key=lambda name: (name.startswith("_cuda_emulated"), name == "_C")):
        if name == "_C":
            made[name] = graph.link(name, list(graph.cpu()), [])
        elif name.startswith("_cuda_emulated"):
            made[name] = graph.link(name, list(graph.emulated(name)), [])
        else:
            made[name] = graph.link(name, list(graph.cuda(name)), libraries)
    graph.ninja.build("warnings", "phony", graph.checked)
    return graph.text.getvalue(), made


def wanted_variants() -> list[str]:
    """Of VARIANTS, those that DEEPLAB_CAFFE_VARIANTS names."""
    given = os.environ.get("DEEPLAB_CAFFE_VARIANTS", "").replace(",", " ").split()
    names = list(VARIANTS) if given == ["all"] else given
    if unknown := [name for name in names if name not in VARIANTS]:
        raise SystemExit(
            f"DEEPLAB_CAFFE_VARIANTS: {unknown[0]} given, of {', '.join(VARIANTS)} (or all) wanted"
        )
    return names


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def build(
    root: Path, modules: list[str], nvcc: Path | None, targets: list[str], jobs: int | None
) -> dict[str, Path]:
    """Compiles what has changed; the modules by name. jobs: MAX_JOBS goes before it; None: all cores."""
    folder = Path("build") / f"{sysconfig.get_platform()}-{sys.implementation.cache_tag}"
    (root / folder).mkdir(parents=True, exist_ok=True)
    with (root / folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one build at a time in a folder
        tools = find_tools(root, folder, nvcc, targets)
        text, made = write_graph(root, folder, tools, modules)
        (root / folder / "build.ninja").write_text(text)
        jobs = int(os.environ.get("MAX_JOBS") or 0) or jobs or cores()
        command = [sys.executable, "-m", "ninja", "-f", str(folder / "build.ninja"), f"-j{jobs}"]
        if os.environ.get("DEEPLAB_CAFFE_WARNINGS") == "1":
            command += [*map(str, made.values()), "warnings"]
        sys.stdout.flush()
        if subprocess.run(command, cwd=root).returncode:
            hint = "; DEEPLAB_CAFFE_CUDA=0 leaves the CUDA part out" if "_cuda" in modules else ""
            raise SystemExit(f"The native modules do not compile: see above{hint}")
    return {name: root / path for name, path in made.items()}
