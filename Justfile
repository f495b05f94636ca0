# `just` runs the first recipe. Each line is a plain command: without just (`pip install rust-just`) copy it.

python := ".venv/bin/python"

# style, docs, unit tests: before each commit
quick:
    {{python}} -m ruff check .
    {{python}} -m ruff format --check .
    {{python}} -m docs.generate --check
    {{python}} -m pytest --numprocesses logical --maxprocesses 4 --dist worksteal tests/unit

# the pages' scripts: biome, tsc, node --test (once: npm ci)
js:
    npm run --silent check

# lay out the pages' scripts
js-format:
    npm run --silent format

# pyright over everything
types:
    {{python}} -m pyright --pythonpath {{python}}

# everything, as CI does; arguments go to pytest
test *arguments:
    bash tests/run.sh {{arguments}}

# the page in Chromium
web *arguments:
    {{python}} -m pytest tests/web {{arguments}}

# write what is generated in docs/
docs:
    {{python}} -m docs.generate

# photograph the pages again, over drawn specimens (minutes)
screenshots:
    {{python}} docs/screenshots.py

# the page at http://127.0.0.1:7860
serve:
    {{python}} app.py

# check and build; publishes nothing
release: quick
    {{python}} -m pip wheel --no-deps --wheel-dir dist .
    {{python}} -m fgdemo deploy OWNER/NAME --dry-run dist/space
