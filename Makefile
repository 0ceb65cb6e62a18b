# make demo    the offline demo, from nothing to a report
# make test    all tests and formatter checks, from nothing
# make heads   the heads that ship with the package, anew: DATA=/folder/of/files TRUNK=/folder/of/esm2-8m
PYTHON ?= python3
CORES ?= 2
BIN := .venv/bin
export PATH := $(CURDIR)/.venv/bin:$(PATH)
VIEWER := resources/3Dmol-min.js

.PHONY: demo test format docs heads clean

demo: .venv/user.stamp $(VIEWER)
	$(BIN)/foldgraft demo --cores $(CORES)
	@echo; echo "The report: $(CURDIR)/results/demo/report/index.html"

test: .venv/developer.stamp $(VIEWER)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses $(CORES) --no-loadscope-reorder

format: .venv/developer.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

docs: .venv/developer.stamp
	$(BIN)/foldgraft config write
	@mkdir -p resources
	$(BIN)/snakemake --rulegraph dot --configfile config/demo.yaml | $(BIN)/python docs/draw_dag.py > resources/dag.dot
	dot -Tsvg resources/dag.dot -o docs/dag.svg
	$(BIN)/python docs/draw_structure.py | tred | dot -Tsvg -o docs/structure.svg

HEADS := solubility solubility_fraction secondary_structure contacts

heads: .venv/user.stamp
	for head in $(HEADS); do \
		$(BIN)/snakemake --cores $(CORES) --rerun-incomplete --configfile config/heads/$$head.yaml \
			--config data='$(DATA)' trunk='{checkpoint: "$(TRUNK)"}' && \
		cp results/head_$$head/train/$$head/head.safetensors src/foldgraft/heads/$$head.safetensors && \
		cp results/head_$$head/report/$$head.md src/foldgraft/heads/$$head.md || exit; \
	done

.venv/base.stamp: constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet "$$(grep '^torch==' constraints.txt)"
	@touch $@

.venv/user.stamp: .venv/base.stamp pyproject.toml
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
	@touch $@

.venv/developer.stamp: .venv/base.stamp pyproject.toml
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@ .venv/user.stamp

# Without it the report shows a still picture in place of the 3D view, so a failure here stops nothing.
$(VIEWER): | .venv/user.stamp
	-$(BIN)/python envs/viewer.py $@

clean:
	rm -rf .venv results resources .snakemake
