# Everything runs in .venv, which the first target that needs it creates.
# Delete .venv to start afresh; name an interpreter with `make run PYTHON=python3.12`.

PYTHON  ?=
VENV    ?= .venv
WORKERS ?= auto
SECONDS ?= 60
TARGETS ?=
QUICK   ?=
ONLY    ?=
BASE    ?= main

BIN := $(VENV)/bin
SOME = $(if $(ONLY),--only $(ONLY))
PEERS := build/peers
PEER = $(if $(wildcard $(PEERS)/caffe/.there),UPCONV_CAFFE2ONNX=$(abspath $(PEERS))/caffe/bin/python) $(abspath $(PEERS))/tools/bin/python
PYTHONS := $(or $(PYTHON),python3 python3.13 python3.12 python3.11)
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints-dev.txt
PINS := pyproject.toml constraints-dev.txt
FCN8S := build/fcn8s

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help run test lint golden docs bench bench-compare fuzz serve editor clean

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: $(VENV)/.base ## Check a small FCN-8s, convert it to ONNX and prove the two equal
	$(BIN)/python fixtures/make_weights.py fixtures/fcn8s/fcn8s.prototxt $(FCN8S)/fcn8s.caffemodel
	$(BIN)/upconv check fixtures/fcn8s/fcn8s.prototxt --weights $(FCN8S)/fcn8s.caffemodel
	$(BIN)/upconv convert fixtures/fcn8s/fcn8s.prototxt --weights $(FCN8S)/fcn8s.caffemodel -o $(FCN8S)/fcn8s.onnx
	$(BIN)/upconv verify fixtures/fcn8s/fcn8s.prototxt $(FCN8S)/fcn8s.onnx --weights $(FCN8S)/fcn8s.caffemodel

test: lint build/axe.js ## Run the linters, the tests and the doctests
	$(BIN)/python -m pytest -n $(WORKERS)

lint: $(VENV)/.dev ## Format check, ruff, mypy --strict and the import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

golden: $(VENV)/.dev ## Rewrite the golden files; review the result as a diff
	UPCONV_GOLDEN=write $(BIN)/python -m pytest -m golden -n $(WORKERS)

docs: $(VENV)/.docs ## Write the rule pages and the README's table; build the site in build/site
	$(BIN)/python docs/make_rules.py
	$(BIN)/python docs/make_pictures.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: $(PEERS)/.tools ## Measure, into build/bench as Markdown and JSON; QUICK=1 in some minutes, ONLY=parsing,forms for some
	$(PEER) -m benchmarks.report build/bench/bench.md build/bench/bench.json $(if $(QUICK),--quick) $(SOME)
	$(if $(QUICK),,$(PEER) -m benchmarks)

bench-compare: $(PEERS)/.tools ## What changed since a commit: BASE=main; the quick benchmarks of both
	git worktree remove --force build/bench/base 2>/dev/null || true
	git worktree add --detach build/bench/base $(BASE)
	rm -rf build/bench/base/benchmarks && cp -r benchmarks build/bench/base/
	cd build/bench/base && PYTHONPATH=. $(PEER) -m benchmarks.report $(CURDIR)/build/bench/base.md $(CURDIR)/build/bench/base.json --quick $(SOME)
	git worktree remove --force build/bench/base
	$(PEER) -m benchmarks.report build/bench/new.md build/bench/new.json --quick $(SOME)
	$(PEER) -m benchmarks.report --compare build/bench/base.json build/bench/new.json

fuzz: $(VENV)/.fuzz ## Fuzz every reader, a minute each; SECONDS=1200 for longer, TARGETS="hdf5 keras" for some
	$(BIN)/python -m tests.fuzz $(SECONDS) $(TARGETS)

serve: $(VENV)/.service ## Serve the API and its page on http://127.0.0.1:8000
	$(BIN)/upconv serve

editor: ## Build the extension for VS Code, build/upconv.vsix; wants npm
	@mkdir -p build
	cp -R editors/vscode build/
	cp LICENSE build/vscode/
	cd build/vscode && npm install --no-audit --no-fund --silent && npx vsce package --out ../upconv.vsix

clean: ## Remove build output and caches; .venv stays
	rm -rf build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

# Stamps: what users run on, and what developers run on (torch and TensorFlow judge in tests).
$(VENV)/.base: $(PINS) | $(BIN)/pip
	@echo "Installing upconv into $(VENV) ..."
	$(PIP) -e .
	@touch $@

$(VENV)/.dev: $(PINS) | $(BIN)/pip
	@echo "Installing upconv and its development tools into $(VENV) ..."
	$(PIP) -e '.[dev,lsp,service,torch,tensorflow]'
	@touch $(VENV)/.base $(VENV)/.service $@

$(VENV)/.service: $(PINS) | $(BIN)/pip
	@echo "Installing upconv and its service into $(VENV) ..."
	$(PIP) -e '.[service]'
	@touch $(VENV)/.base $@

$(VENV)/.docs: $(PINS) | $(BIN)/pip
	@echo "Installing upconv and what builds its site into $(VENV) ..."
	$(PIP) -e '.[docs]'
	@touch $(VENV)/.base $@

$(VENV)/.fuzz: $(VENV)/.dev
	@echo "Installing what fuzzes into $(VENV) ..."
	$(PIP) -e '.[fuzz]'
	@touch $@

# What benchmarks compare with: an environment that sees ours, for tools that bear our onnx and protobuf,
# and one for caffe2onnx, which needs older ones. Without a network its rows are left out.
$(PEERS)/.tools: $(VENV)/.dev
	@echo "Installing what benchmarks compare with into $(PEERS) ..."
	rm -rf $(PEERS)
	$(BIN)/python -m venv $(PEERS)/tools
	echo "import site; site.addsitedir('$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')')" \
		> $$($(PEERS)/tools/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/ours.pth
	$(PEERS)/tools/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
		onnxscript onnx_ir ml_dtypes tf2onnx polygraphy onnx_graphsurgeon opencv-python-headless
	$(BIN)/python -m venv $(PEERS)/caffe
	$(PEERS)/caffe/bin/python -m pip install --quiet --disable-pip-version-check \
		'onnx==1.14.1' 'numpy<2' 'protobuf<4' \
		&& $(PEERS)/caffe/bin/python -m pip install --quiet --disable-pip-version-check --no-deps caffe2onnx==2.0.1 \
		&& touch $(PEERS)/caffe/.there || echo "caffe2onnx is not to be had: it has no rows"
	@touch $@

# axe-core judges the service's page in tests. Without npm or a network the file is empty, and they skip.
build/axe.js:
	@mkdir -p build && cd build && rm -rf package && \
		{ npm pack --silent axe-core@4.14.1 >/dev/null 2>&1 && tar xzf axe-core-*.tgz package/axe.min.js && \
		mv package/axe.min.js axe.js; } || { echo "axe-core is not to be had: its tests skip"; : > axe.js; }

# bin/pip comes last in the making of an environment, so a half-made one is made again.
$(BIN)/pip:
	@for python in $(PYTHONS); do \
		if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			echo "Creating $(VENV) with $$("$$python" --version)"; \
			"$$python" -m venv $(VENV) && exit 0; \
			echo "error: '$$python -m venv' failed (on Debian and Ubuntu: apt install python3-venv)" >&2; \
			exit 1; \
		fi; \
	done; \
	echo "error: no Python 3.11 or newer; tried: $(PYTHONS) (name one: make PYTHON=/path/to/python)" >&2; \
	exit 1
