# try: set up and compare the starter's recipes   test: set up and run every test   check: format, lint, types, known faults, fast tests
# app: the web page at home   lab: the notebooks   space: the folder that a Hugging Face Space is made of
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
SUM := $(shell cat requirements.txt pyproject.toml | cksum | cut -d' ' -f1)
DEV_SUM := $(shell cat requirements.txt requirements-dev.txt pyproject.toml | cksum | cut -d' ' -f1)

.PHONY: try test browser check app lab space clean

try: .venv/ready-$(SUM)
	$(BIN)/workbench try

test: .venv/ready-dev-$(DEV_SUM) browser
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations 80 --durations-min 10

# The tests of the page drive a real browser: Chromium of the machine, else Debian's (asked for as root or with sudo).
browser:
	@command -v chromium || command -v chromium-browser || command -v google-chrome || { \
		root=$$([ "$$(id -u)" = 0 ] || echo sudo); $$root apt-get update -q && \
		$$root apt-get install -y -q --no-install-recommends chromium; }

check: .venv/ready-dev-$(DEV_SUM)
	$(BIN)/ruff format --check workbench tests benchmarks examples
	$(BIN)/ruff check .
	$(BIN)/mypy
	.ci/audit $(BIN)/python
	$(BIN)/python -m pytest -m "not slow" -x

app: .venv/ready-$(SUM)
	$(BIN)/python app.py

lab: .venv/ready-$(SUM)
	$(BIN)/jupyter lab notebooks/01_first_comparison.ipynb

space:
	$(PYTHON) Space/build.py

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

# A stamp named by the requirements: made once, made again when they change.
.venv/ready-$(SUM):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=…")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check hatchling==1.33.0 editables
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

.venv/ready-dev-$(DEV_SUM): .venv/ready-$(SUM)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@
