PYTHON ?= python3
OUT ?= benchmarks/results
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TEST_STAMP := $(VENV)/.installed-for-tests
SOURCES := pyproject.toml setup.py build_cuda.py build_proto.py constraints.txt deeplab_caffe/formats/caffe.proto \
	$(wildcard csrc/*/*.* csrc/*/*/*.*)
# The kernels are built for the card at hand, not for all there are; tests build some without a card, too.
TEST_TARGET := $(shell nvidia-smi > /dev/null 2>&1 && echo native || echo 90a)
INSTALL = test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) && \
	PIP_CONSTRAINT=$(CURDIR)/constraints.txt PIP_BUILD_CONSTRAINT=$(CURDIR)/constraints.txt \
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[dev]'

.PHONY: demo test bench gpu lint format clean

demo: $(STAMP)
	$(BIN)/deeplab-caffe demo -o demo-output

test: lint
	$(BIN)/python -m pytest

bench: $(STAMP)
	$(BIN)/deeplab-caffe bench net
	$(BIN)/deeplab-caffe bench train
	$(BIN)/deeplab-caffe bench crf

# What needs a GPU, in nine minutes: builds in place for the present card, tests, checks memory accesses and
# measures; results, pictures and logs under OUT. Installs nothing: PYTHON has the packages. REFERENCE: the
# large reference cases, where they are.
gpu:
	$(if $(REFERENCE),DEEPLAB_CAFFE_REFERENCE=$(REFERENCE)) $(PYTHON) benchmarks/gpu.py -o $(OUT)

lint: $(TEST_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run -Werror $$(git ls-files '*.cpp' '*.h' '*.cu' '*.cuh')

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $$(git ls-files '*.cpp' '*.h' '*.cu' '*.cuh')

# Built again whenever a source of the build changed.
$(STAMP): $(SOURCES)
	export DEEPLAB_CAFFE_CUDA_ARCHS=$${DEEPLAB_CAFFE_CUDA_ARCHS:-native}; $(INSTALL)
	touch $@

$(TEST_STAMP): $(SOURCES)
	export DEEPLAB_CAFFE_EMULATOR=1 DEEPLAB_CAFFE_CUDA_ARCHS=$${DEEPLAB_CAFFE_CUDA_ARCHS:-$(TEST_TARGET)}; $(INSTALL)
	touch $@ $(STAMP)

clean:
	rm -rf $(VENV) build demo-output *.egg-info deeplab_caffe/_*.so deeplab_caffe/formats/caffe_pb2.py
