"""Writes the tables of resources in cuda.md, from the module that is built for sm_90a: `python docs/cuda.py`.

Without cuobjdump (see benchmarks/sass.py) it tells so and writes nothing.
"""

import re
import sys
from pathlib import Path

PAGE = Path(__file__).with_suffix(".md")
ROOT = PAGE.parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))
from sass import resources

BEGIN, END = "<!-- resources: written by docs/cuda.py -->", "<!-- end of resources -->"
TYPES = ("bf16", "fp16", "tf32", "fp32")  # as TensorCoreType counts them
CHUNK, INPUT_ROW = 128, 8  # bytes: kChunkBytes, sizeof(InputRow)
SM_SHARED, BLOCK_RESERVED, SM_REGISTERS = 228 * 1024, 1024, 65536
CRF = {
    "splat_short_lists": "splat, short lists",
    "sum_lists": "splat, long lists",
    "blur_axes": "blur",
    "slice_points": "slice",
    "update_points": "update",
}
_NUMBER = r"Li(\d+)E"
_MMA = re.compile(r"tensor_core_mma\w*MmaTileIL14TensorCoreType(\d)E" + 5 * _NUMBER)
_WGMMA = re.compile(r"tensor_core_wgmma\w*WgmmaTileIL14TensorCoreType(\d)E" + 4 * _NUMBER)
_EXACT = re.compile(r"convolve_tiles\w*5ShapeI" + 3 * _NUMBER)


def _tiles(used: dict[str, dict[str, int]]) -> dict[tuple, dict[str, tuple[int, int, int]]]:
    """(kernel, rows, columns, threads): precision: registers, bytes of shared memory, blocks an SM."""
    found: dict[tuple, dict[str, tuple[int, int, int]]] = {}
    for name, numbers in used.items():
        if match := _MMA.search(name):
            kind, down, across, high, wide, stages = map(int, match.groups())
            rows, columns, threads = down * high, across * wide, 32 * down * across
            barriers, rows_kept, kernel = 0, rows, "mma.sync"
        elif match := _WGMMA.search(name):
            kind, groups, columns, stages, _ = map(int, match.groups())
            rows, threads = 64 * groups, 128 * (1 + groups)
            barriers, rows_kept, kernel = 16 * stages, 2 * rows, "wgmma"
        else:
            continue
        parts = 2 if TYPES[kind] == "fp32" else 1
        shared = stages * (rows + parts * columns) * CHUNK + barriers + rows_kept * INPUT_ROW
        registers = numbers["registers"]
        blocks = min(
            SM_SHARED // (shared + BLOCK_RESERVED), SM_REGISTERS // (-(-registers // 8) * 8 * threads)
        )
        found.setdefault((kernel, rows, columns, threads), {})[TYPES[kind]] = registers, shared, blocks
    return found


def _each(values: list[str]) -> str:
    return values[0] if len(set(values)) == 1 else ", ".join(values)


def tables(module: Path) -> str:
    """The two tables, as Markdown."""
    used = resources(module)
    lines = [
        "| kernel | tile | threads | registers bf16, fp16, tf32, fp32 | shared memory, KB | blocks an SM |",
        "|---|---|---|---|---|---|",
    ]
    order = sorted(_tiles(used).items(), key=lambda item: (item[0][0], -item[0][1] * item[0][2], -item[0][1]))
    for (kernel, rows, columns, threads), kinds in order:
        there = [kinds.get(kind) for kind in TYPES]
        registers, shared, blocks = (
            [form(one[i]) if one else "-" for one in there]
            for i, form in enumerate((str, lambda size: f"{size / 1024:.0f}", str))
        )
        numbers = ", ".join(registers), _each(shared), _each(blocks)
        lines.append(f"| {kernel} | {rows} x {columns} | {threads} | {' | '.join(numbers)} |")
    lines += ["", "| kernel | registers |", "|---|---|"]
    exact = {int(m[1]): numbers for name, numbers in used.items() if (m := _EXACT.search(name))}
    listed = ", ".join(str(exact[shape]["registers"]) for shape in sorted(exact))
    lines.append(f"| exact convolution, tiles in the order of kTileShapes | {listed} |")
    for word, what in CRF.items():
        registers = sorted({numbers["registers"] for name, numbers in used.items() if word in name})
        lines.append(f"| CRF: {what} | {', '.join(map(str, registers))} |")
    spilled = [name for name, numbers in used.items() if numbers["stack"] or numbers["local"]]
    lines += [
        "",
        f"{len(used)} kernels, {len(spilled) or 'none'} of them with a stack frame or spilled registers.",
    ]
    return "\n".join(lines)


def main() -> None:
    """Writes between BEGIN and END."""
    from deeplab_caffe import _cuda

    text = PAGE.read_text()
    begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    PAGE.write_text(f"{text[:begin]}\n\n{tables(Path(_cuda.__file__))}\n\n{text[end:]}")


if __name__ == "__main__":
    main()
