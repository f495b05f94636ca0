#!/usr/bin/env bash
# All set-up on a fresh machine, then every check: style, types, tests. Arguments go to pytest.
# The tests need Chromium, Node and a PostgreSQL server; what is missing is installed by apt-get.
set -euo pipefail
cd "$(dirname "$0")/.."

python3 -m venv .venv
.venv/bin/python -m pip install --quiet --requirement requirements-dev.txt

missing=()
command -v chromium > /dev/null || missing+=(chromium)
command -v node > /dev/null || missing+=(nodejs)
command -v postgres > /dev/null || compgen -G "/usr/lib/postgresql/*/bin/initdb" > /dev/null || missing+=(postgresql)
if [ ${#missing[@]} -gt 0 ]; then
  as_root=$([ "$(id -u)" = 0 ] || echo sudo)
  $as_root apt-get update --quiet
  $as_root apt-get install --quiet --yes --no-install-recommends "${missing[@]}"
fi

.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/pyright --pythonpath .venv/bin/python
audit() { # known holes in what is installed; without a network it cannot be known, which fails nothing
  if ! .venv/bin/python -m pip install --quiet pip-audit 2> /dev/null; then
    echo "The packages were not audited: pip-audit cannot be installed here."
  elif ! timeout 40 .venv/bin/pip-audit --progress-spinner off; then
    echo "See above what is known of the packages, or that it cannot be asked here."
  fi
}
audit
.venv/bin/python -m pytest --numprocesses logical --maxprocesses 4 --dist worksteal --durations 25 "$@"
