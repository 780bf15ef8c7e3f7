# Two commands matter: `make demo` and `make test`. Both set up everything they need.
# All paths are relative, so that the folder may have spaces in its name.
KEEP ?=
ARGS ?=
export PYTHON

.PHONY: help demo bench test torture setup packages lint format proto release-image clean
.DEFAULT_GOAL := help

help:
	@echo 'make demo           run the main job on realistic input and show what happened; KEEP=1 leaves it running'
	@echo 'make bench          measure it beside a bare gRPC server: a table and bench.json; ARGS="--quick --only pages"'
	@echo 'make test           pass every check that CI passes; ARGS="..." goes to pytest'
	@echo 'make torture        kill it, cut its power, fill its disk, talk nonsense to it for an hour; ARGS="--minutes 10"'
	@echo 'make setup          make .venv; PYTHON=... chooses the interpreter (3.11 or newer)'
	@echo 'make packages       install the Debian packages that the tests use (as root), or name them'
	@echo 'make lint           every check but the tests'
	@echo 'make format         let the formatters write'
	@echo 'make proto          compile proto/kho/v1 into proto/generated'
	@echo 'make release-image  write proto/released.binpb, which later wire formats are compared with'
	@echo 'make clean          remove caches and builds; .venv stays'

setup:
	@ops/setup/venv.sh

packages:
	@ops/setup/debian.sh

demo: setup
	@.venv/bin/python -m ops.demo.run $(if $(KEEP),--keep)

bench: setup
	@.venv/bin/python -m ops.bench.run $(ARGS)

# The packages first: an ordinary user learns what is missing before anything long begins.
test: packages
	@ops/setup/venv.sh
	@ops/setup/check.sh all $(ARGS)

torture: setup
	@.venv/bin/python -m tests.torture.run $(ARGS)

lint: setup
	@ops/setup/check.sh static

format: setup
	@.venv/bin/ruff check --quiet --fix . ; .venv/bin/ruff format --quiet . && .venv/bin/buf format -w

proto: setup
	@proto/generate.sh

release-image: setup
	@.venv/bin/buf build -o proto/released.binpb

clean:
	@rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find clients ops proto server storage tests -type d -name __pycache__ -prune -exec rm -rf {} +
