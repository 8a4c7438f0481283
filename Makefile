# SPDX-License-Identifier: Apache-2.0
# Everything goes through a virtual environment of its own, .venv, made on first use.

VENV ?= .venv
ifneq ($(words $(VENV)),1)
$(error VENV names a path with a space, which make cannot work with: name another one)
endif
SIM ?= verilator
export SIM
# Of another Python.
unexport PYTHONHOME PYTHONPATH
PY := $(VENV)/bin/python
# Not the script in $(VENV)/bin, whose first line has the path of the checkout.
XNOR_FCC := $(PY) -m xnor_fcc
# The value of a variable as one word of a shell; with an option before it, if there is a value.
quoted = '$(subst ','\'',$(value $1))'
option = $(if $(value $2),$1 $(call quoted,$2))
MARKS := $(VENV)/.installed-
# As many tests at a time as JOBS says: logical is one for each core, or what the environment variable
# PYTEST_XDIST_AUTO_NUM_WORKERS has; 0 runs them in pytest itself. Here and not in pyproject.toml,
# because a test called by name is there sooner without workers, and campaigns call pytest themselves.
# Tests start a thousand Pythons: bytecode is kept, even where the environment says otherwise.
JOBS ?= logical
PYTEST = PYTHONDONTWRITEBYTECODE= $(PY) -m pytest --numprocesses $(call quoted,JOBS) --durations 10

.DEFAULT_GOAL := help
.PHONY: help sim test fast icarus lint lint-verilog lint-python formal bench explore area route ulx3s activity mutate coverage softerrors soak methods learn reference report demo train facts registers pictures board quartus tools clean

help: ## what there is to make
	@echo "usage: make TARGET [VARIABLE=value ...]"
	@grep -hE '^[a-z0-9]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9]+):[^#]*## /  \1\t/' | expand -t 14
	@echo "variables of sim: SIM=verilator|icarus IMAGES= NETWORK= INPUTS=FILE FLIP= WAVES=1 TRACE=IMAGE"
	@echo "  GEOMETRY=default|throughput|latency|original or PE= SIMD= LANES=, WEIGHT_STREAM=bits"
	@echo "  FLIP=weight:LAYER:NEURON:INPUT or FLIP=threshold:LAYER:NEURON plants one fault"
	@echo "variables of test, fast, icarus: JOBS=2 tests at a time, else one for each core"
	@echo "variables of formal: ONLY=ring,argmax ARGS='--jobs 4'"
	@echo "variables of explore: DEVICE=de1-soc|de10-nano|c5g|de0-cv WIDTHS=784-1024-10 NETWORK= ARGS="
	@echo "variables of soak: MINUTES=10 SEED= ARGS=--write"
	@echo "variables of train, area, route, ulx3s, activity, mutate, coverage, softerrors, methods, learn, reference, board, report, quartus: ARGS='--option ...', see make train ARGS=--help"

sim: $(MARKS)package $(if $(TRACE),$(MARKS)plots) ## images through the simulated core, every bit and cycle checked
	@$(XNOR_FCC) simulate $(call option,--images,IMAGES) $(call option,--geometry,GEOMETRY) \
	  $(call option,--pe,PE) $(call option,--simd,SIMD) $(call option,--lanes,LANES) \
	  $(call option,--weight-stream,WEIGHT_STREAM) $(call option,--network,NETWORK) \
	  $(call option,--flip,FLIP) $(call option,--inputs,INPUTS) $(call option,--trace,TRACE) \
	  $(if $(filter-out 0,$(WAVES)),--waves) $(ARGS)

test: $(MARKS)test $(MARKS)plots $(MARKS)train $(MARKS)import $(MARKS)fusesoc $(MARKS)lint $(MARKS)synthesis $(MARKS)formal $(MARKS)coverage ## the whole suite: pytest verif/
	@code=0; $(PYTEST) verif/ --junitxml=build/test/unfinished.xml || code=$$?; \
	  if [ $$code -le 1 ]; then mv build/test/unfinished.xml build/test/junit.xml; fi; exit $$code

fast: $(MARKS)test $(MARKS)plots $(MARKS)train $(MARKS)import $(MARKS)fusesoc $(MARKS)lint $(MARKS)synthesis $(MARKS)coverage ## lint and the quick tests only
	@$(MAKE) --no-print-directory lint
	@$(PYTEST) verif/ -m "not slow"

icarus: $(MARKS)test ## the module tests once more in four-state logic, and no X out of the core
	@SIM=icarus $(PYTEST) verif/modules verif/core/test_xclean.py

lint: $(MARKS)test $(MARKS)lint ## style, slang, Verilator, Icarus, Yosys; ruff, mypy, who imports whom
	@$(MAKE) --no-print-directory -j2 lint-verilog lint-python
	@echo "lint: clean"

# Each takes half a minute.
lint-verilog:
	@$(PY) verif/lint.py

lint-python:
	@$(VENV)/bin/ruff check model verif
	@# Texts are UTF-8 whatever the language of who runs it: a rule of ruff that is still a preview.
	@$(VENV)/bin/ruff check --quiet --preview --select PLW1514 model verif/xnor_fcc_sim
	@$(PY) -m mypy --no-error-summary
	@out="$$($(PY) -c 'from importlinter.cli import lint_imports_command as lint; lint()' \
	  --no-cache --no-logo 2>&1)" || { echo "$$out"; exit 1; }

formal: $(MARKS)formal ## proofs about the RTL for all inputs, each with a faulty twin
	@$(PY) -m formal.prove $(call option,--only,ONLY) $(ARGS)

bench: $(MARKS)package $(MARKS)synthesis ## every figure of the README measured again (half an hour)
	@$(PY) -m measure.benchmark

explore: $(MARKS)package $(MARKS)plots ## which PE, SIMD and LANES fit an FPGA, and which are best
	@$(XNOR_FCC) explore $(call option,--device,DEVICE) $(call option,--widths,WIDTHS) \
	  $(call option,--network,NETWORK) $(ARGS)

area: $(MARKS)synthesis ## what each form of the PE array costs in logic (Yosys, Cyclone V)
	@$(PY) -m measure.area $(ARGS)

route: $(MARKS)synthesis ## a lane placed and routed: its clock (nextpnr, ECP5)
	@$(PY) -m measure.route $(ARGS)

ulx3s: $(MARKS)package $(MARKS)synthesis ## a bitstream for the ULX3S-85F by open tools, and the clock it reaches (three minutes)
	@$(PY) -m measure.ulx3s $(ARGS)

activity: $(MARKS)package ## bits that switch for one image, and waveforms for a power analyser
	@$(PY) -m measure.activity $(ARGS)

mutate: $(MARKS)test $(MARKS)synthesis ## plant faults in the RTL and count those the tests find (resumes; an hour)
	@$(PY) -m campaigns.mutation.mutate $(ARGS)

coverage: $(MARKS)test $(MARKS)coverage ## what the tests have seen: functional, line, toggle (a quarter of an hour)
	@$(PY) -m campaigns.coverage.campaign $(ARGS)

soak: $(MARKS)test ## random systems, traffic and faults for MINUTES; a failure is shrunk and saved
	@$(PY) -m campaigns.scenarios.soak $(call option,--minutes,MINUTES) $(call option,--seed,SEED) $(ARGS)

softerrors: $(MARKS)package $(MARKS)plots ## accuracy against flipped bits in the memories, a plot (four minutes)
	@$(PY) -m measure.soft_errors $(ARGS)

methods: $(MARKS)package $(MARKS)plots ## accuracy, cycles, area of every committed network and method, two plots (a minute)
	@$(PY) -m measure.methods $(ARGS)

learn: $(MARKS)train $(MARKS)plots ## the last layer learns other tasks in the simulated core, beside the model (ten minutes)
	@$(PY) -m measure.learn $(ARGS)

reference: $(MARKS)package ## images a second that the software reference classifies
	@$(PY) -m measure.reference_speed $(ARGS)

board: $(MARKS)package $(MARKS)synthesis ## area of the whole DE1-SoC demo (Yosys; five minutes)
	@$(PY) -m measure.board_area $(ARGS)

quartus: ## build the DE1-SoC demo with Quartus, see quartus/README.md
	@command -v quartus_sh >/dev/null || { \
	  echo "error: quartus_sh is not on the PATH: install Quartus Prime Lite, 20.1 or newer, and" \
	       "add its directory quartus/bin." >&2; exit 2; }
	@$(MAKE) --no-print-directory $(MARKS)package
	@quartus_sh -t quartus/build.tcl --python $(PY) $(ARGS)

report: $(MARKS)package ## one HTML page of what the other targets measured: build/report/report.html
	@$(XNOR_FCC) report $(ARGS)

demo: $(MARKS)package $(MARKS)demo ## a page in the browser: draw a digit, the simulated core reads it
	@$(XNOR_FCC) demo $(call option,--geometry,GEOMETRY) $(call option,--network,NETWORK) $(ARGS)

train: $(MARKS)train ## train the network again into build/train (an hour; resumes); ARGS='--recipe original' or float
	@$(XNOR_FCC) train $(ARGS)

facts: $(MARKS)package ## rewrite what repeats a fact: register map, parameters, versions
	@$(PY) -m xnor_fcc.facts

registers: facts

pictures: $(MARKS)package ## redraw the timeline of the README from the cycle model
	@$(PY) -m xnor_fcc_sim.page.timeline

clean: ## remove build/ (keeps .venv)
	rm -rf build

# ---- set-up

# Says what is missing before anything else happens.
tools:
	@test -x $(PY) || python3 -c "import venv, ensurepip" 2>/dev/null || { \
	  echo "error: python3 with the module venv is needed: install python3-venv" \
	       "(Debian: apt install python3 python3-venv)." >&2; exit 2; }
	@sim=$(call quoted,SIM); \
	if [ "$$sim" = icarus ]; then need="iverilog"; else need="g++ perl"; fi; \
	for program in $$need; do command -v $$program >/dev/null || { \
	  echo "error: $$program is needed for SIM=$$sim: install it" \
	       "(Debian: apt install $$program)." >&2; exit 2; }; done

$(VENV)/bin/python: | tools
	@echo "making the virtual environment $(VENV)"
	@python3 -m venv $(VENV)

INSTALL := $(PY) -m pip install -qq --disable-pip-version-check -e

$(MARKS)package: pyproject.toml | tools $(VENV)/bin/python
	@echo "installing the package (once)"
	@$(INSTALL) .
	@touch $@

# An extra of pyproject.toml.
$(MARKS)%: pyproject.toml | tools $(VENV)/bin/python
	@echo "installing what '$*' needs (once)"
	@$(INSTALL) ".[$*]"
	@touch $@
