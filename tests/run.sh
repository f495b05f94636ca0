#!/usr/bin/env bash
# All set-up on a fresh machine, then every check: style, types, tests. Arguments go to pytest.
# The browser tests need Chromium; where it is missing it is installed by apt-get.
set -euo pipefail
cd "$(dirname "$0")/.."

python3 -m venv .venv
.venv/bin/python -m pip install --quiet --requirement requirements-dev.txt

if ! command -v chromium > /dev/null; then
  as_root=$([ "$(id -u)" = 0 ] || echo sudo)
  $as_root apt-get update --quiet
  $as_root apt-get install --quiet --yes --no-install-recommends chromium
fi

.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/pyright --pythonpath .venv/bin/python
.venv/bin/python -m pytest "$@"
