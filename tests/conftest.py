import os
import shutil
import signal
import tempfile
from functools import partial
from pathlib import Path

# Who is started in the background of a script ignores Ctrl-C, which tests send to themselves and to others.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The workers of `pytest -n` share the processors, and so do the processes that they start. Tests of threads
# ask for theirs.
if workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0")):
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // workers)))
# Threads that wait for others sleep: where they spin, tests of two threads take twice the processor time.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import pytest  # noqa: E402

# A folder for all processes of a run; the first of them makes and removes it.
SHARED = "DEEPLAB_CAFFE_TESTS_SHARED"


def pytest_configure(config):
    """Torch before whatever else brings OpenMP; the process that only hands out tests does without both."""
    if SHARED not in os.environ:
        os.environ[SHARED] = tempfile.mkdtemp(prefix="deeplab_caffe_tests_")
        config.add_cleanup(partial(shutil.rmtree, os.environ[SHARED], ignore_errors=True))
    if "PYTEST_XDIST_WORKER" in os.environ or not config.getoption("numprocesses", None):
        import torch  # noqa: F401


# The files that take longest: begun late, one of them would leave the other workers idle at the end. What
# draws the weights of the reference nets comes well before what finds them there.
LONG = [
    "engine/test_reference_nets.py",
    "commands/test_export.py",
    "ops/test_isa.py",
    "bench/test_net.py",
    "validate/test_reference.py",
    "commands/test_shipped_model.py",
    "export/test_nets.py",
    "kernels/test_atrous.py",
    "convert/test_reference_cases.py",
    "prototxt/test_deeplab_v3.py",
    "convert/test_torch.py",
    "site/test_pages.py",
    "commands/test_eval.py",
    "solver/test_distributed.py",
    "commands/test_train.py",
    "autograd/test_layer.py",
    "faults/test_writing.py",
    "fuzz/test_fuzz.py",
    "hostile/test_files.py",
    "prototxt/test_torch_deeplab.py",
    "solver/test_reference_cases.py",
]


def pytest_collection_modifyitems(items):
    places = {Path(__file__).parent / name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path, len(LONG)))


@pytest.fixture(params=["emulated", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request):
    """CUDA kernels: run on the host by the emulator, and on a GPU where there is one."""
    import torch

    from tests.device import Device, has_module

    if request.param == "cuda" and not (torch.cuda.is_available() and has_module("_cuda")):
        pytest.skip("needs a GPU and the CUDA kernels")
    if request.param == "emulated" and not has_module("_cuda_emulated"):
        pytest.skip("the emulator is not built (DEEPLAB_CAFFE_EMULATOR=1)")
    return Device(request.param)


@pytest.fixture(scope="module")
def chromium():
    """A headless browser; tests that look at pages are skipped where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        pytest.skip("needs chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def look(chromium):
    """Opens a file: `look(path, width=1400, scheme="light")`; at the end no page may have complained."""
    complaints, contexts = [], []

    def open_page(path, width=1400, scheme="light"):
        contexts.append(chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme))
        page = contexts[-1].new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: request.url.startswith("http") and complaints.append(request.url))
        page.goto(path.resolve().as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints


@pytest.fixture
def quick_exports(monkeypatch):
    """`export` tries what it has written in forked processes; tests/export/test_check.py has real ones."""
    from types import SimpleNamespace

    from deeplab_caffe.export import check
    from tests import fresh

    def run(command, input, **how):
        return fresh.run(*command[1:], input=input)

    monkeypatch.setattr(check, "subprocess", SimpleNamespace(run=run))


@pytest.fixture(scope="session")
def weights_of():
    """The weights file of a large reference net, drawn once for all processes: that takes seconds."""
    from tests.reference_nets import weights_of

    return lambda case: weights_of(case, Path(os.environ[SHARED]))
