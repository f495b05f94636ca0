#!/usr/bin/env bash
# All set-up on a fresh machine, then every check: style, types, tests. Arguments go to pytest.
# The tests need Chromium, Node and a PostgreSQL server; what is missing is installed by apt-get.
set -euo pipefail
cd "$(dirname "$0")/.."

programs() { # while pip waits for its downloads
  local missing=() as_root
  command -v node > /dev/null || missing+=(nodejs)
  command -v npm > /dev/null || missing+=(npm)
  command -v postgres > /dev/null || compgen -G "/usr/lib/postgresql/*/bin/initdb" > /dev/null || missing+=(postgresql)
  command -v chromium-headless-shell chromium > /dev/null || missing+=(chromium)
  [ ${#missing[@]} -gt 0 ] || return 0
  as_root=$([ "$(id -u)" = 0 ] || echo sudo)
  $as_root apt-get update --quiet || return
  # Debian's browser without windows draws a page at a third of the work.
  if apt-cache show chromium-headless-shell > /dev/null 2>&1; then missing=("${missing[@]/%chromium/chromium-headless-shell}"); fi
  $as_root apt-get install --quiet --yes --no-install-recommends "${missing[@]}"
}
programs & installing=$!
python3 -m venv .venv
# Not compiled: the tests import a small part of it all, which Python compiles then.
.venv/bin/python -m pip install --quiet --no-compile --requirement requirements-dev.txt
wait "$installing"
if ! cmp --silent package-lock.json node_modules/.installed; then # what checks the scripts of the pages
  npm ci --no-audit --no-fund || { echo "npm cannot install what checks the scripts of the pages."; exit 1; }
  cp package-lock.json node_modules/.installed
fi

audit() { # known holes in what is installed; without a network it cannot be known, which fails nothing
  if ! .venv/bin/python -m pip install --quiet --no-compile pip-audit 2> /dev/null; then
    echo "The packages were not audited: pip-audit cannot be installed here."
  elif ! timeout 40 .venv/bin/pip-audit --progress-spinner off; then
    echo "See above what is known of the packages, or that it cannot be asked here."
  fi
}
said=$(mktemp)
audit > "$said" 2>&1 & auditing=$! # it waits for the network
.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/pyright --pythonpath .venv/bin/python
npm run --silent check
wait "$auditing"
cat "$said" && rm "$said"
.venv/bin/python -m pytest --numprocesses logical --maxprocesses 4 --dist worksteal --durations 25 "$@"
