# Everything from a fresh machine with make and a Python from 3.9 to 3.13:
#   make train    trains the quick-start agent into $(WORKDIR)
#   make test     checks style and types, then runs the tests
#   make lint     checks style and types;  make format  applies the style
#   make docs     builds the documentation site into build/site
#   make clean    removes what the other targets created, runs excepted
#   make constraints  resolves the versions of constraints/ anew
#
# Settings, as in `make train PYTHON=/opt/python3.12/bin/python3`:
#   PYTHON   the interpreter to build $(VENV) with (only while there is none)
#   STACK    classic (TensorFlow 2.15, Python 3.9 to 3.11) or current (the
#            newest, Python 3.11 to 3.13); by itself what $(VENV) has, or the
#            classic one where the Python takes it
#   EXTRAS   what to install; on a machine with an NVIDIA GPU name gpu for cpu
#   VENV     the virtual environment
#   WORKDIR  where a training run lives; the same one again goes on with the run

WORKDIR ?= runs/quickstart
EXTRAS ?= cpu,reverb,suites,dev
STACK ?=
VENV ?= .venv

INSTALLED := $(VENV)/.installed-$(STACK)-$(EXTRAS)
CONSTRAINTS := constraints/classic.txt constraints/current.txt \
  constraints/no_deps.txt
SOURCES = $(wildcard r2i_tf launch configs tests benchmarks experiments \
  examples docs setup.py)
# The site has an environment of its own, without TensorFlow.
DOCS := .venv-docs

# The first and the last minor version of Python 3, and in which order to look.
ifeq ($(STACK),classic)
  PYTHONS := 9 11
  CANDIDATES := python3.11 python3.10 python3.9 python3
else ifeq ($(STACK),current)
  PYTHONS := 11 13
  CANDIDATES := python3.13 python3.12 python3.11 python3
else ifeq ($(STACK),)
  PYTHONS := 9 13
  CANDIDATES := python3.11 python3.13 python3.12 python3.10 python3.9 python3
else
  $(error STACK is $(STACK), but it must be classic, current or not given)
endif
ifdef PYTHON
  CANDIDATES := "$(PYTHON)"
endif
# A candidate is run, not just looked up: there are launchers, such as pyenv's,
# that exist for versions that do not. Debian packs venv and ensurepip apart.
SUITABLE = import sys, venv, ensurepip; first, last = "$(PYTHONS)".split(); \
  sys.exit(not (3, int(first)) <= sys.version_info[:2] <= (3, int(last)))
CLASSIC := import sys; sys.exit(sys.version_info >= (3, 12))
# cpu,reverb,dev of the classic stack is current-cpu,dev of the other.
comma := ,
space := $(subst ,, )
extras := $(subst $(comma),$(space),$(EXTRAS))
extras := $(patsubst cpu,current-cpu,$(filter-out reverb,$(extras)))
extras := $(patsubst gpu,current-gpu,$(extras))
CURRENT_EXTRAS := $(subst $(space),$(comma),$(strip $(extras)))
PIP := $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check
UV := $(VENV)/bin/uv pip compile --quiet --universal --no-annotate --upgrade \
  --fork-strategy requires-python --custom-compile-command 'make constraints'

.PHONY: train test lint format docs clean constraints
.DELETE_ON_ERROR:

train: $(INSTALLED)
	$(VENV)/bin/r2i-train --config=quickstart --workdir="$(WORKDIR)"

test: lint
	@# What a module has set up is for its tests in a row.
	$(VENV)/bin/python -m pytest -n 2 --dist worksteal tests

lint: $(INSTALLED)
	$(VENV)/bin/python -m pyink --check $(SOURCES) || \
	  { echo 'The files above are not formatted: run `make format`.'; exit 1; }
	$(VENV)/bin/python -m ruff check $(SOURCES)
	$(VENV)/bin/python -m mypy

format: $(INSTALLED)
	$(VENV)/bin/python -m ruff check --fix-only --quiet $(SOURCES)
	$(VENV)/bin/python -m pyink --quiet $(SOURCES)

docs: $(DOCS)/.installed
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build
	@echo 'The site: build/site/index.html, which needs no server.'

$(DOCS)/.installed: PYTHONS = 11 13
$(DOCS)/.installed: pyproject.toml constraints/docs.txt
	@rm -f $@
	@for python in $(if $(PYTHON),"$(PYTHON)") python3.13 python3.12 \
	    python3.11 python3; do \
	  if "$$python" -c '$(SUITABLE)' >/dev/null 2>&1; then \
	    "$$python" -m venv --clear $(DOCS) && exit; \
	  fi; \
	done; \
	echo 'The site needs a Python from 3.11 to 3.13 with its venv module and' \
	  'found none: name it, as in `make docs PYTHON=/path/to/python3.11`.' >&2; \
	exit 1
	$(DOCS)/bin/python -m pip install --quiet --disable-pip-version-check \
	  -c constraints/docs.txt -e '.[docs]'
	@touch $@

# The stamp goes first and comes back last, so that an install which was
# interrupted is taken up again.
$(INSTALLED): pyproject.toml setup.py $(CONSTRAINTS)
	@for stamp in $(VENV)/.installed-*; do \
	  case "$$stamp,$(EXTRAS)" in *cpu*,gpu,* | *gpu*,cpu,*) \
	    made=$${stamp##*.installed-}; \
	    echo "$(VENV) was made with EXTRAS=$${made#*-}, and" \
	      'TensorFlow for CPUs and for GPUs must not be in one:' \
	      'run `make clean` before EXTRAS=$(EXTRAS).' >&2; \
	    exit 1; \
	  esac; \
	done
	@stack=$$(cat $(VENV)/.stack 2>/dev/null); \
	case "$$stack,$(STACK)" in classic,current | current,classic) \
	  echo "$(VENV) has the $$stack stack, and two must not be in one: run" \
	    '`make clean`, or name another place, as in VENV=.venv-$(STACK).' >&2; \
	  exit 1; \
	esac
	@rm -f $(VENV)/.installed-*
	@python=; \
	if ! { [ -e $(VENV)/.stack ] && \
	    $(VENV)/bin/python -c '$(SUITABLE)' >/dev/null 2>&1; }; then \
	  for candidate in $(CANDIDATES); do \
	    if "$$candidate" -c '$(SUITABLE)' >/dev/null 2>&1; then \
	      python="$$candidate"; break; \
	    fi; \
	  done; \
	  if [ -z "$$python" ]; then \
	    set -- $(PYTHONS); \
	    echo "r2i_tf$(if $(STACK), with the $(STACK) stack) needs a Python" \
	      "from 3.$$1 to 3.$$2 with its venv module and" \
	      'found none that runs under the names' $(CANDIDATES)': install one' \
	      "or name it, as in \`make train PYTHON=/path/to/python3.$$2\`." >&2; \
	    exit 1; \
	  fi; \
	  echo "Creating $(VENV) with $$python."; \
	  "$$python" -m venv --clear $(VENV) || exit 1; \
	  stack='$(STACK)'; \
	  if [ -z "$$stack" ]; then \
	    stack=current; \
	    if $(VENV)/bin/python -c '$(CLASSIC)'; then stack=classic; fi; \
	  fi; \
	  echo "$$stack" >$(VENV)/.stack; \
	fi
	@echo "Installing the $$(cat $(VENV)/.stack) stack; this takes a few" \
	  'minutes.'
	@# An older pip installs no pyproject.toml in place.
	$(PIP) 'pip>=22.3'
	@case "$$(cat $(VENV)/.stack)" in \
	  classic) set -x; \
	    $(PIP) -c constraints/classic.txt -e '.[$(EXTRAS)]' ;; \
	  current) set -x; \
	    $(PIP) -c constraints/current.txt -e '.[$(CURRENT_EXTRAS)]' && \
	    $(PIP) --no-deps -r constraints/no_deps.txt ;; \
	esac
	@touch $@

constraints: $(INSTALLED)
	$(PIP) uv
	echo 'tensorflow-cpu==2.15.1' | $(UV) --python-version 3.9 \
	  --extra classic --extra reverb --extra suites --extra dev \
	  -o constraints/classic.txt pyproject.toml -
	$(UV) --python-version 3.11 --extra current-cpu --extra suites \
	  --extra dev -o constraints/current.txt pyproject.toml
	$(UV) --python-version 3.11 --extra docs -o constraints/docs.txt \
	  pyproject.toml

clean:
	rm -rf $(VENV) $(DOCS) *.egg-info build dist .pytest_cache .ruff_cache \
	  .mypy_cache .hypothesis
	find $(SOURCES) -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
