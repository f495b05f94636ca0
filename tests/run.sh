#!/usr/bin/env bash
# All set-up on a fresh machine, then every check: style, types, tests. Arguments go to pytest.
# The tests need Chromium and a PostgreSQL server; what is missing is installed by apt-get.
set -euo pipefail
cd "$(dirname "$0")/.."

python3 -m venv .venv
.venv/bin/python -m pip install --quiet --requirement requirements-dev.txt

missing=()
command -v chromium > /dev/null || missing+=(chromium)
command -v postgres > /dev/null || compgen -G "/usr/lib/postgresql/*/bin/initdb" > /dev/null || missing+=(postgresql)
if [ ${#missing[@]} -gt 0 ]; then
  as_root=$([ "$(id -u)" = 0 ] || echo sudo)
  $as_root apt-get update --quiet
  $as_root apt-get install --quiet --yes --no-install-recommends "${missing[@]}"
fi

.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/pyright --pythonpath .venv/bin/python
.venv/bin/python -m pytest "$@"
