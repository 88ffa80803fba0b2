"""The results of all steps: gpu.json, gpu.html and one archive, whole after every step.

Steps write into `work`. `out`, which may come back from a machine only as a few files of limited size, holds
no others than STATE, ARCHIVE, PAGE and BUILT.
"""

import io
import json
import os
import re
import shutil
import tarfile
import time
from pathlib import Path
from typing import Any

from .page import page
from .process import Running, Step
from .targets import targets

STATE, ARCHIVE, PAGE = "gpu.json", "results.tar.gz", "gpu.html"
BUILT = ("modules.tar.gz", "variants.tar.xz")  # by build.py
DONE = ("passed", "failed", "out of time")
LARGEST = 8 << 20  # bytes of a file in the archive; longer logs lose their middle


def put(path: Path, content: bytes) -> None:
    """Writes a file, whole or not at all."""
    unfinished = path.with_name(path.name + ".part")
    unfinished.write_bytes(content)
    unfinished.replace(path)


def counts(log: str) -> dict[str, int]:
    """How many tests passed, failed..., by the lines of pytest -v."""
    found: dict[str, int] = {}
    for word in re.findall(r"^\S+::.* (PASSED|FAILED|ERROR|SKIPPED|XFAIL)\b", log, re.MULTILINE):
        found[word.lower()] = found.get(word.lower(), 0) + 1
    return found


class Results:
    """Of this call and of those before it."""

    def __init__(
        self, out: Path, work: Path, about: dict[str, Any], fresh: bool, before: Path | None
    ) -> None:
        self.out, self.work = out, work
        out.mkdir(parents=True, exist_ok=True)
        for left_over in out.glob("*.part"):
            left_over.unlink()
        if fresh or self._is_of_another(work, about):
            self._forget()
        work.mkdir(parents=True, exist_ok=True)
        if not fresh:
            for folder in filter(None, (before, out)):
                self._take(folder, about)
        self.about, self.steps = about, {}
        if (work / STATE).exists():
            for entry in json.loads((work / STATE).read_text())["steps"]:
                # What was under way when the machine or this program went.
                entry["state"] = "interrupted" if entry["state"] == "running" else entry["state"]
                self.steps[entry["stage"], entry["step"]] = entry
        self._archived = 0.0

    @staticmethod
    def _is_of_another(folder: Path, about: dict[str, Any]) -> bool:
        """Whether the results there are of another GPU, or of a rehearsal."""
        state = folder / STATE
        return state.exists() and json.loads(state.read_text()).get("gpu") != about.get("gpu")

    def _forget(self) -> None:
        """Removes all results; what build.py has built is no result."""
        for path in self.work.iterdir() if self.work.exists() else ():
            if path.name not in BUILT:
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _take(self, folder: Path, about: dict[str, Any]) -> None:
        """What is in an earlier call's `out`, unless it is here already."""
        new = (folder / STATE).exists() and not (self.work / STATE).exists()
        if new and not self._is_of_another(folder, about):
            with tarfile.open(folder / ARCHIVE) as archive:
                archive.extractall(self.work, filter="data")
            shutil.copy(folder / STATE, self.work)
        for name in BUILT:
            if (folder / name).exists() and not (self.work / name).exists():
                shutil.copy(folder / name, self.work)

    def state(self, step: Step) -> str | None:
        entry = self.steps.get((step.stage, step.name))
        return entry["state"] if entry else None

    def begin(self, step: Step) -> None:
        self._set(step, state="running", status=None, seconds=0.0)

    def leave_out(self, step: Step, reason: str) -> None:
        """An earlier result of the step stays."""
        if self.state(step) not in DONE:
            self._set(step, state="left out", status=None, seconds=0.0, end=[reason])

    def finish(self, running: Running, state: str | None = None) -> dict[str, Any]:
        step = running.step
        log = (self.work / step.log).read_text(errors="replace")
        tests, state = counts(log), state or running.state
        if state == "passed" and set(tests) == {"skipped"}:
            state = "skipped"  # that shows nothing
        return self._set(
            step,
            state=state,
            status=running.status,
            seconds=round(running.seconds, 1),
            tests=tests,
            log=step.log,
            end=[line[:300] for line in log.splitlines()[-4:]],
        )

    def _set(self, step: Step, **values: Any) -> dict[str, Any]:
        entry = {"stage": step.stage, "step": step.name, **values}
        self.steps[step.stage, step.name] = entry
        self.write()
        return entry

    def targets(self) -> list[dict[str, Any]]:
        return targets(self.work, self.steps.values())

    def write(self) -> None:
        """Puts the archive, then the state: what that says is done is in the archive."""
        self.archive()
        content = {
            **self.about,
            "targets": self.targets(),
            "steps": sorted(self.steps.values(), key=lambda entry: entry["stage"]),
        }
        text = json.dumps(content, indent=1).encode()
        put(self.work / STATE, text)
        put(self.out / STATE, text)
        put(self.out / PAGE, page(content).encode())

    def archive(self, every: float = 0.0) -> None:
        """All that steps wrote, as one file, unless it was put less than `every` seconds ago."""
        if every and time.monotonic() - self._archived < every:
            return
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
            for path in sorted(p for p in self.work.rglob("*") if p.is_file()):
                if path.name not in (*BUILT, STATE) and not path.name.endswith(".part"):
                    self._add(archive, path)
        put(self.out / ARCHIVE, buffer.getvalue())
        for name in BUILT:
            if (self.work / name).exists() and not self._same(self.work / name, self.out / name):
                put(self.out / name, (self.work / name).read_bytes())
        self._archived = time.monotonic()

    def _add(self, archive: tarfile.TarFile, path: Path) -> None:
        try:
            content = path.read_bytes()
        except OSError:  # a step has just removed it
            return
        if len(content) > LARGEST:
            content = content[: LARGEST // 2] + b"\n...\n" + content[-LARGEST // 2 :]
        member = tarfile.TarInfo(str(path.relative_to(self.work)))
        member.size, member.mtime = len(content), int(time.time())
        archive.addfile(member, io.BytesIO(content))

    @staticmethod
    def _same(path: Path, copy: Path) -> bool:
        return (
            copy.exists()
            and os.path.getsize(copy) == os.path.getsize(path)
            and (copy.stat().st_mtime >= path.stat().st_mtime)
        )
