# make demo   train, evaluate and draw the segmentation of the meshes of this repository (a few minutes)
# make demo-fields   the same for wall shear stress, predicted as arrows on the walls of arteries
# make demo-climate   the same for cyclones of synthetic weather on the globe
# make test   the tests that take seconds; make check runs the linters and all tests but the long ones, as CI does
# make lint   the linters and the type checker alone
# make check-long   the long tests: trainings of examples, compilers, exports, long fuzzing (run them before a release)
# make docs   build the documentation into build/site, strictly; open build/site/index.html
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check
TORCH  := $(shell grep '^torch==' constraints.txt)
RUN    := runs/demo

ARTERIES := runs/arteries
SHEAR    := runs/shear

WEATHER := runs/weather
STORMS  := runs/storms

.PHONY: demo demo-fields demo-climate test docs lint check check-long install clean

# Torch is installed by itself and first: everything after it is resolved against that version.
define install
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet "$(TORCH)"
	$(PIP) install --quiet -c constraints.txt -e ".[$(1)]"
	touch $@
endef

$(VENV)/.installed-train: pyproject.toml constraints.txt
	$(call install,train)

$(VENV)/.installed-fields: pyproject.toml constraints.txt
	$(call install,fields)
	touch $(VENV)/.installed-train

$(VENV)/.installed-climate: pyproject.toml constraints.txt
	$(call install,climate)
	touch $(VENV)/.installed-train

$(VENV)/.installed-dev: pyproject.toml constraints.txt
	$(call install,dev)
	touch $(VENV)/.installed-train $(VENV)/.installed-fields $(VENV)/.installed-climate

install: $(VENV)/.installed-train

demo: $(VENV)/.installed-train
	$(BIN)/gaugenet train segmentation --config examples/demo.yaml --out $(RUN) --overwrite
	$(BIN)/gaugenet evaluate $(RUN) --data meshes/bodies --split test
	$(BIN)/gaugenet view $(RUN) --out $(RUN)/viewer.html --png $(RUN)/segmentation.png
	@echo
	@echo "Look at:  $(RUN)/segmentation.png  prediction, truth and error on test meshes"
	@echo "          $(RUN)/viewer.html       the same to turn with the mouse (opens offline)"
	@echo "          $(RUN)/curves.png        how it learned"
	@echo "          $(RUN)/confusion.png     which parts are taken for which"

demo-fields: $(VENV)/.installed-fields
	$(BIN)/python examples/arteries.py --out $(ARTERIES)
	$(BIN)/gaugenet train regression --config examples/arteries.yaml --data $(ARTERIES) --out $(SHEAR) --overwrite
	$(BIN)/gaugenet evaluate $(SHEAR) --data $(ARTERIES)
	$(BIN)/python examples/arteries.py --draw $(SHEAR)
	@echo
	@echo "Look at:  $(SHEAR)/arrows.png       wall shear stress as arrows: truth, prediction and error on test arteries"
	@echo "          $(SHEAR)/parity_test.png  predicted against true sizes"
	@echo "          $(SHEAR)/curves.png       how it learned"

demo-climate: $(VENV)/.installed-climate
	$(BIN)/python examples/synthetic_weather.py --out $(WEATHER) --overwrite
	$(BIN)/gaugenet train climate --config examples/climate_demo.yaml --data $(WEATHER)/train.nc --val $(WEATHER)/val.nc \
		--out $(STORMS) --overwrite
	$(BIN)/gaugenet evaluate $(STORMS) --data $(WEATHER)/test.nc --coastlines false
	$(BIN)/gaugenet predict $(STORMS) $(WEATHER)/test.nc --out $(STORMS)/predicted.nc
	@echo
	@echo "Look at:  $(STORMS)/map.png        prediction and truth on a test day (synthetic weather)"
	@echo "          $(STORMS)/globe.html     the same to turn with the mouse (opens offline)"
	@echo "          $(STORMS)/predicted.nc   probabilities and labels on the grid of the input"

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m "not slow and not long"

# Fails at a broken link, an unresolved reference, a public name without a docstring, a citation without a paper.
docs: $(VENV)/.installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

lint: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# The linters and the documentation at the same time: each of them uses one core. One that fails ends the check.
check: $(VENV)/.installed-dev
	$(MAKE) --jobs=2 --output-sync=target lint docs
	$(BIN)/python -m pytest -m "not long"

check-long: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m long

clean:
	rm -rf build dist runs *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis lightning_logs docs/_build
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +
