PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test bench lint format clean

demo: $(STAMP)
	$(BIN)/deeplab-caffe demo -o demo-output

test: lint
	$(BIN)/python -m pytest

bench: $(STAMP)
	$(BIN)/deeplab-caffe bench net
	$(BIN)/deeplab-caffe bench crf

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run -Werror $$(git ls-files '*.cpp' '*.h' '*.cu')

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $$(git ls-files '*.cpp' '*.h' '*.cu')

# Built again whenever a source of the build changed.
$(STAMP): pyproject.toml setup.py constraints.txt deeplab_caffe/formats/caffe.proto $(wildcard csrc/*.* csrc/*/*.*)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	PIP_CONSTRAINT=$(CURDIR)/constraints.txt PIP_BUILD_CONSTRAINT=$(CURDIR)/constraints.txt \
		$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) build demo-output *.egg-info deeplab_caffe/_C*.so deeplab_caffe/formats/caffe_pb2.py
