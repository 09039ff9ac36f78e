.PHONY: book test lint notebooks stress clean

PYTHON ?= python3
BIN := .venv/bin
# Outputs are compared: no progress bars, a fixed number of threads, and the
# library as it stands, not as a cache remembers it. Threads that wait leave the
# processors to others: without it, everything is many times slower on a busy machine.
export TQDM_DISABLE = 1
export OMP_NUM_THREADS = 2
export OMP_WAIT_POLICY = PASSIVE
export PYTHONHASHSEED = 0

book: $(BIN)/.ready  ## build the HTML; every chapter is executed, any failure fails
	rm -rf _build
	$(BIN)/jupyter-book build . --warningiserror --keep-going
	@echo "Open _build/html/index.html"

test: $(BIN)/.ready  ## run the unit tests and re-run every notebook against its outputs
	$(BIN)/python -m pytest -n 2 --dist loadfile

lint: $(BIN)/.ready  ## style and types
	$(BIN)/ruff check .
	$(BIN)/mypy

notebooks: $(BIN)/.ready  ## make the .ipynb files anew from the .py files, and execute them
	for chapter in book/*.py; do \
		$(BIN)/jupytext --to ipynb --execute $$chapter || exit 1; \
	done

stress: $(BIN)/.ready  ## what too much at once does; prints totals
	$(BIN)/python tests/stress.py

clean:
	rm -rf .venv _build

$(BIN)/.ready: requirements.lock pyproject.toml
	$(PYTHON) -c "import sys; sys.version_info >= (3, 11) or sys.exit('colorlib needs Python 3.11 or newer')"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip install --python $(BIN)/python -r requirements.lock
	$(BIN)/uv pip install --python $(BIN)/python --no-deps -e .
	touch $@
