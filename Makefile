# Everything goes into .venv; `make race` and `make test` do their own set-up.
PYTHON ?= python3
BIN := .venv/bin
RACER := $(BIN)/racer

DATA ?= ../shared/data
PYTEST := $(BIN)/pytest -q -n auto --dist loadfile
PLAIN := RACER_NO_JIT=1 $(PYTEST) -m "not slow" tests/tracks tests/racer_env

.PHONY: help install race test test-plain lint check bench fidelity clean

help:
	@echo "make race     install, train two drivers, race them, print the leaderboard (some minutes)"
	@echo "make test     install and run the tests"
	@echo "make check    format, lint, types, import rules, and the tests in both kernel modes with coverage"
	@echo "make bench    measure speed on this machine, and that of other simulators"
	@echo "make fidelity compare with the original's recordings in DATA=$(DATA)"
	@echo "make install  make .venv and install everything into it"
	@echo "make clean    remove .venv, caches and what make race made"

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	touch $@

race: install
	rm -rf race
	$(RACER) train reward_functions/centre_line --track oval --run race/careful --until-laps 10 --minutes 3
	$(RACER) train reward_functions/straight_speed --track oval --run race/bold --until-laps 10 --minutes 3
	$(RACER) export race/careful -o race/careful.tar.gz
	$(RACER) export race/bold -o race/bold.tar.gz
	$(RACER) car check race/bold.tar.gz
	$(RACER) league init --league race/league --track oval
	$(RACER) league submit race/careful.tar.gz --league race/league --racer careful
	$(RACER) league submit race/bold.tar.gz --league race/league --racer bold
	$(RACER) league work --drain --league race/league
	$(RACER) evaluate race/bold.tar.gz --track oval --picture race/lap.png
	$(RACER) league standings --league race/league
	@echo "A picture of a lap is in race/lap.png; the drivers race/*.tar.gz run on a real DeepRacer car."

test: install
	$(PYTEST)

check: lint
	$(PYTEST) --cov --cov-report=
	$(PLAIN) --cov --cov-append --cov-report=term:skip-covered

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test-plain: install
	$(PLAIN)

bench: install
	$(BIN)/python -m benchmarks.speed

fidelity: install
	$(RACER) traces check $(DATA)/traces --tracks $(DATA)/tracks
	$(BIN)/python -m benchmarks.fidelity $(DATA)
	$(RACER) camera check $(DATA)/camera/posed --track $(DATA)/tracks/reinvent_base.npy

clean:
	rm -rf .venv race benchmarks/.peers build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .coverage .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
