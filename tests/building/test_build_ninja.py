"""What build.ninja says of a small tree, and what becomes of mistakes."""

import re
from pathlib import Path

import pytest

pytest.importorskip("ninja")
ROOT = Path(__file__).parents[2]
FILES = """conv/conv_plan.cpp conv/x.cpp conv/bind.cpp conv/simd/kernel.cpp conv/cuda/x.cu conv/cuda/bind.cpp
platform/module.cpp platform/cuda/bind.cpp platform/emulator/scheduler.cpp""".split()


@pytest.fixture
def edges(build_ninja, tmp_path):
    """edges(modules) -> {output: (rule, inputs, variables)}."""
    for name in FILES:
        path = tmp_path / "csrc" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    def write(modules, machine="x86"):
        tools = build_ninja.Tools(["g++"], ["py bind"], machine, Path("/cuda/bin/nvcc"), ("80", "90a"))
        text, made = build_ninja.write_graph(tmp_path, Path("build"), tools, modules)
        found = {}
        for block in re.split(r"\n(?=build )", re.sub(r" \$\n +", " ", text))[1:]:
            head, *lines = block.split("\n")
            outputs, inputs = head.removeprefix("build ").split(": ")
            rule, *sources = inputs.split()
            variables = dict(re.findall(r"^  (\w+) = (.*)$", "\n".join(lines), re.M))
            found[outputs.split()[0]] = (rule, sources, variables)
        assert set(map(str, made.values())) <= set(found)
        return found

    return write


def flags(edge):
    return edge[2]["compiler"].split()


def test_kernels_are_compiled_for_each_instruction_set(edges):
    found = edges(["_C"])
    for name, flag in (("portable", "-DISA_PORTABLE=1"), ("avx2", "-mavx2"), ("avx512", "-mavx512f")):
        rule, sources, _ = found[f"build/{name}/conv/simd/kernel.o"]
        assert (rule, sources) == ("cxx", ["csrc/conv/simd/kernel.cpp"])
        assert flag in flags(found[f"build/{name}/conv/simd/kernel.o"])
    assert "-mavx2" not in " ".join(flags(found["build/portable/conv/simd/kernel.o"]))


def test_kernels_for_other_machines(edges):
    found = edges(["_C"], machine="arm")
    assert not any("avx" in name for name in found)
    assert "build/portable/conv/simd/kernel.o" in found
    assert "-DISA_NEON=1" in flags(found["build/neon/conv/simd/kernel.o"])
    assert "-DHAVE_NEON=1" in flags(found["build/host/conv/x.o"])
    found = edges(["_C"], machine="other")
    assert {name.split("/")[1] for name in found if "simd" in name and "warn" not in name} == {"portable"}
    assert "HAVE" not in " ".join(flags(found["build/host/conv/x.o"]))


def test_nothing_is_contracted(edges):
    for edge in edges(["_C", "_cuda", "_cuda_emulated"]).values():
        if edge[0] not in ("link", "phony"):
            assert "-ffp-contract=off" in flags(edge)
            assert "-ffast-math" not in flags(edge)
        if edge[0] == "nvcc":
            assert "--fmad=false" in flags(edge)


def test_nvcc_keeps_its_report(edges):
    rule, sources, variables = edges(["_cuda"])["build/_cuda/conv/cuda/x.o"]
    assert rule == "nvcc"
    assert variables["log"] == "build/_cuda/conv/cuda/x.log"
    assert "-gencode=arch=compute_90a,code=sm_90a" in variables["compiler"]


def test_what_is_the_same_in_two_modules_is_made_once(edges):
    found = edges(["_C", "_cuda", "_cuda_emulated"])
    links = {name.split("/")[1].split(".")[0]: edge[1] for name, edge in found.items() if edge[0] == "link"}
    assert set(links) == {"_C", "_cuda", "_cuda_emulated"}
    assert all("build/host/conv/conv_plan.o" in objects for objects in links.values())
    for name, objects in links.items():
        assert f"build/{name}/platform/module.o" in objects
        assert f"-DMODULE={name}" in flags(found[f"build/{name}/platform/module.o"])
    assert (
        "build/host/conv/cuda/bind.o" in links["_cuda"] and "build/host/conv/cuda/bind.o" not in links["_C"]
    )
    assert "build/_cuda_emulated/platform/emulator/scheduler.o" in links["_cuda_emulated"]
    assert "80,90a" in found["build/_cuda/platform/cuda/bind.o"][2]["compiler"]


def test_system_headers_are_no_concern_of_warnings(edges):
    assert "-isystem 'py bind'" in edges(["_C"])["build/host/conv/bind.o"][2]["compiler"]


def test_warnings_are_looked_for_wherever_the_compiler_compiles(edges):
    found = edges(["_C", "_cuda", "_cuda_emulated"])
    compiled = {name for name, edge in found.items() if edge[0] == "cxx"}
    checked = {name.replace("/warnings/", "/") for name, edge in found.items() if edge[0] == "check"}
    assert compiled == checked == {name.replace("/warnings/", "/") for name in found["warnings"][1]}


def test_without_a_compiler_one_line(build_ninja, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(
        SystemExit, match=r"No C\+\+ compiler: no g\+\+, c\+\+, clang\+\+ on PATH; .*CXX"
    ) as error:
        build_ninja.find_cxx()
    assert "\n" not in str(error.value)
    monkeypatch.setenv("CXX", "my-g++ -m64")
    with pytest.raises(SystemExit, match=r"no my-g\+\+ as CXX says"):
        build_ninja.find_cxx()


def test_the_compiler_may_have_words_of_its_own(build_ninja, monkeypatch):
    monkeypatch.setenv("CXX", "env g++ -m64")
    assert build_ninja.find_cxx() == ["env", "g++", "-m64"]


def test_sanitizers(edges, monkeypatch):
    monkeypatch.setenv("DEEPLAB_CAFFE_SANITIZE", "address,undefined")
    found = edges(["_C"])
    made = flags(found["build/host/conv/x.o"])
    assert "-fsanitize=address,undefined" in made and "-fno-sanitize-recover=all" in made
    assert "-O3" not in made and "-O1" in made and "-ffp-contract=off" in made
    link = next(edge for name, edge in found.items() if edge[0] == "link")
    assert "-fsanitize=address,undefined" in link[2]["libraries"]


def test_variants_compile_anew_only_what_differs(edges, build_ninja, monkeypatch):
    monkeypatch.setitem(build_ninja.VARIANTS, "faster", ("csrc/conv/cuda/x.cu",))
    found = edges(["_C", "_cuda", "_cuda_faster", "_cuda_emulated", "_cuda_emulated_faster"])
    own, todays = found["build/_cuda_faster/conv/cuda/x.o"], found["build/_cuda/conv/cuda/x.o"]
    assert "-DSWITCH_FASTER=1" in flags(own) and own[1] == todays[1] == ["csrc/conv/cuda/x.cu"]
    assert not [flag for flag in flags(todays) if flag.startswith("-DSWITCH")]
    assert "-DSWITCH_FASTER=1" in flags(found["build/_cuda_emulated_faster/conv/cuda/x.o"])
    module = next(sources for name, (_, sources, _) in found.items() if "_cuda_faster.c" in name)
    assert "build/_cuda_faster/conv/cuda/x.o" in module and "build/_cuda/conv/cuda/x.o" not in module
    assert "-DMODULE=_cuda_faster" in flags(found["build/_cuda_faster/platform/module.o"])
    for name, targets in (("_cuda_faster", "80,90a"), ("_cuda_emulated_faster", "")):
        compiler = found[f"build/{name}/platform/cuda/bind.o"][2]["compiler"]
        assert f"'-DDEVICE_TARGETS=\"{targets}\"'" in compiler


def test_every_variant_is_a_switch(build_ninja):
    switches = (ROOT / "csrc/platform/cuda/switches.h").read_text()
    assert {f"SWITCH_{name.upper()}" for name in build_ninja.VARIANTS} == set(
        re.findall(r"SWITCH_\w+", switches)
    )


def test_variants_are_asked_for_by_name(build_ninja, monkeypatch):
    assert build_ninja.wanted_variants() == []
    monkeypatch.setenv("DEEPLAB_CAFFE_VARIANTS", "fused_blur, register_banks")
    assert build_ninja.wanted_variants() == ["fused_blur", "register_banks"]
    monkeypatch.setenv("DEEPLAB_CAFFE_VARIANTS", "all")
    assert build_ninja.wanted_variants() == list(build_ninja.VARIANTS)
    monkeypatch.setenv("DEEPLAB_CAFFE_VARIANTS", "quicker")
    with pytest.raises(SystemExit, match="quicker given, of ignore_source, ") as error:
        build_ninja.wanted_variants()
    assert "\n" not in str(error.value)
