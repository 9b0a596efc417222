# make run    start the lab (PORT=8001 make run: on another port)
# make test   run the tests
# make check  what is checked before a change is accepted, without the tests
#
# make screenshots       take a picture of every page, in build/screenshots
# make fuzz MINUTES=10   call both APIs with whatever their descriptions allow, and more
# make chaos MINUTES=10  kill, stop and cut whatever a lab needs, and audit what everybody heard
# make test-lava-worker  run jobs in QEMU by Debian's lava-worker, beside a lab; installs both (as root, or with sudo)
#
# Each installs what it needs into .venv, once.

VENV := .venv
BIN := $(VENV)/bin
# --no-compile: what is never imported is never compiled.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input --no-compile
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))

# Many tests wait for other processes: `auto` is one more than there are cores (tests/conftest.py).
PARALLEL := --numprocesses auto --maxprocesses 4 --dist worksteal
# Compiled modules are kept: tests start hundreds of processes, and each would compile Django for itself.
KEEPING := env -u PYTHONDONTWRITEBYTECODE

MINUTES ?= 10

.PHONY: run test check screenshots fuzz chaos test-lava-worker

run: $(VENV)/.runtime
	@exec $(BIN)/lava-lite up

test: $(VENV)/.test
	@$(KEEPING) -u DATABASE_URL $(BIN)/python -m pytest $(PARALLEL)
	@$(KEEPING) $(BIN)/python -m tests.on_postgresql $(PARALLEL)

check: $(VENV)/.dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python manage.py check
	@LAVA_LITE_DATA=$$(mktemp -d) $(BIN)/python manage.py makemigrations --check --dry-run

screenshots: $(VENV)/.test
	@$(KEEPING) $(BIN)/python -m tests.gallery

fuzz: $(VENV)/.test
	@$(KEEPING) $(BIN)/python -m tests.fuzz --minutes $(MINUTES)

chaos: $(VENV)/.test
	@$(KEEPING) $(BIN)/python -m tests.chaos --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

test-lava-worker: $(VENV)/.test
	@tests/lava_worker/install.sh build/lava-worker
	@$(KEEPING) -u DATABASE_URL $(BIN)/python -m pytest -m lava_worker tests/lava_worker

# A stamp is written last, so an installation that was interrupted is taken up again.
$(VENV)/.runtime: pyproject.toml | $(BIN)/pip
	@echo "Installing lava_lite into $(VENV) (once; about half a minute) ..."
	@$(PIP) --editable .
	@touch $@

$(VENV)/.test: pyproject.toml | $(BIN)/pip
	@echo "Installing what the tests need into $(VENV) (once; about a minute) ..."
	@$(PIP) --editable '.[test]'
	@touch $@ $(VENV)/.runtime

$(VENV)/.dev: pyproject.toml | $(BIN)/pip
	@echo "Installing what the checks need into $(VENV) (once; about a minute) ..."
	@$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/.runtime $(VENV)/.test

$(BIN)/pip:
	@for python in python3 python3.14 python3.13 python3.12 python3.11; do \
		$$python -c '$(NEW_ENOUGH)' 2>/dev/null || continue; \
		$$python -c 'import ensurepip, venv' 2>/dev/null || { lacking=$$python; continue; }; \
		exec $$python -m venv $(VENV); \
	done; \
	if [ -n "$$lacking" ]; then \
		echo "$$lacking cannot make a virtual environment. On Debian and Ubuntu: apt install $$lacking-venv" >&2; \
	else \
		echo "lava_lite needs Python 3.11 or newer, and found none." >&2; \
	fi; \
	exit 1
