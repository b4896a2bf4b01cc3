# Everything lives in .venv and in the lab's own folder: nothing is installed into the system.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

# It would have every start of the clouds and the client compile everything again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: install demo test unit unit-gateway unit-rest real lint bench clean

install: $(VENV)/.installed
$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt uv
	@$(BIN)/uv pip install -q -p $(BIN)/python -c constraints.txt -e '.[dev]'
	@touch $@

demo: install
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python examples/demo.py

lint: install
	@$(BIN)/ruff check -q . && $(BIN)/ruff format -q --check . && $(BIN)/mypy && $(BIN)/lint-imports --no-cache > $(VENV)/imports.txt || (cat $(VENV)/imports.txt; false)

# In two halves side by side: one mostly waits for processes, the other computes.
unit: install
	@$(MAKE) --no-print-directory -j2 --output-sync unit-gateway unit-rest
unit-gateway:
	@$(BIN)/python -m pytest -q tests/gateway
unit-rest:
	@$(BIN)/python -m pytest -q -m "not real" --ignore=tests/gateway

real: install
	@$(BIN)/python -m pytest -q -m real

test: lint
	@$(BIN)/python -m pytest -q

bench: install
	@$(BIN)/openstackoid lab up --dir $(VENV)/bench-lab --address 127.0.61.0
	@$(BIN)/python -m bench --real --lab $(VENV)/bench-lab; status=$$?; \
	  $(BIN)/openstackoid lab reset --dir $(VENV)/bench-lab; exit $$status

clean:
	@rm -rf $(VENV)
