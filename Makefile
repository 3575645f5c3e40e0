# Everything from a fresh machine with make and Python 3.9, 3.10 or 3.11:
#   make train    trains the quick-start agent into $(WORKDIR)
#   make test     checks style and types, then runs the tests
#   make lint     checks style and types;  make format  applies the style
#   make clean    removes what the other targets created, runs excepted
#
# Settings, as in `make train PYTHON=/opt/python3.10/bin/python3`:
#   PYTHON   the interpreter to build .venv with (only while there is none)
#   EXTRAS   what to install; on a machine with an NVIDIA GPU name gpu for cpu
#   WORKDIR  where a training run lives; the same one again goes on with the run

WORKDIR ?= runs/quickstart
EXTRAS ?= cpu,reverb,suites,dev

VENV := .venv
INSTALLED := $(VENV)/.installed-$(EXTRAS)
CANDIDATES := $(if $(PYTHON),"$(PYTHON)",python3.11 python3.10 python3.9 python3)
SOURCES = $(wildcard r2i_tf launch configs tests benchmarks experiments \
  examples setup.py)
# A candidate is run, not just looked up: there are launchers, such as pyenv's,
# that exist for versions that do not. Debian packs venv and ensurepip apart.
SUITABLE := import sys, venv, ensurepip; \
  sys.exit(not (3, 9) <= sys.version_info[:2] <= (3, 11))

.PHONY: train test lint format clean
.DELETE_ON_ERROR:

train: $(INSTALLED)
	$(VENV)/bin/r2i-train --config=quickstart --workdir="$(WORKDIR)"

test: lint
	$(VENV)/bin/python -m pytest -n 2 tests

lint: $(INSTALLED)
	$(VENV)/bin/python -m pyink --check $(SOURCES) || \
	  { echo 'The files above are not formatted: run `make format`.'; exit 1; }
	$(VENV)/bin/python -m ruff check $(SOURCES)
	$(VENV)/bin/python -m mypy

format: $(INSTALLED)
	$(VENV)/bin/python -m ruff check --fix-only --quiet $(SOURCES)
	$(VENV)/bin/python -m pyink --quiet $(SOURCES)

# The stamp goes first and comes back last, so that an install which was
# interrupted is taken up again.
$(INSTALLED): pyproject.toml setup.py constraints.txt
	@for stamp in $(VENV)/.installed-*; do \
	  case "$$stamp,$(EXTRAS)" in *cpu*,gpu,* | *gpu*,cpu,*) \
	    echo "$(VENV) was made with EXTRAS=$${stamp##*.installed-}, and" \
	      'TensorFlow for CPUs and for GPUs must not be in one:' \
	      'run `make clean` before EXTRAS=$(EXTRAS).' >&2; \
	    exit 1; \
	  esac; \
	done
	@rm -f $(VENV)/.installed-*
	@python=; \
	if ! $(VENV)/bin/python -c '$(SUITABLE)' >/dev/null 2>&1; then \
	  for candidate in $(CANDIDATES); do \
	    if "$$candidate" -c '$(SUITABLE)' >/dev/null 2>&1; then \
	      python="$$candidate"; break; \
	    fi; \
	  done; \
	  if [ -z "$$python" ]; then \
	    echo 'r2i_tf needs Python 3.9, 3.10 or 3.11 with its venv module and' \
	      'found none that runs under the names' $(CANDIDATES)': install one' \
	      'or name it, as in `make train PYTHON=/path/to/python3.11`.' >&2; \
	    exit 1; \
	  fi; \
	  echo "Creating $(VENV) with $$python."; \
	  "$$python" -m venv --clear $(VENV) || exit 1; \
	fi
	@echo 'Installing; this takes a minute or two.'
	@# An older pip installs no pyproject.toml in place.
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
	  'pip>=22.3'
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
	  -c constraints.txt -e '.[$(EXTRAS)]'
	@touch $@

clean:
	rm -rf $(VENV) *.egg-info build dist .pytest_cache .ruff_cache .mypy_cache
	find $(SOURCES) -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
