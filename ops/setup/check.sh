#!/bin/sh
# Every check that CI passes, one line each; what a check says is shown only when it fails.
#   check.sh static   all but the tests        check.sh all [PYTEST ARGUMENT...]   all; pytest's summary comes last
set -u
cd "$(dirname "$0")/../.." || exit 1
PATH=$(pwd -P)/.venv/bin:$PATH
export PATH
failed=''
log=$(mktemp)
trap 'rm -f "$log"' EXIT

check() { # NAME COMMAND...
  name=$1
  shift
  began=$(date +%s)
  if "$@" >"$log" 2>&1 </dev/null; then
    printf 'ok      %-22s %3d s\n' "$name" $(($(date +%s) - began))
  else
    printf 'FAILED  %-22s %s\n' "$name" "$*"
    sed 's/^/    /' "$log"
    failed="$failed, $name"
  fi
}

check 'ruff format' ruff format --check --quiet --diff .
check 'ruff check' ruff check --quiet .
check 'buf lint' buf lint
check 'buf format' buf format --diff --exit-code
check 'buf breaking' ops/setup/breaking.sh
check 'import contracts' lint-imports --no-logo
check 'mypy' mypy --no-error-summary server storage clients tests ops

what=${1:-static}
[ $# -eq 0 ] || shift
if [ "$what" = all ]; then
  # Four workers at most: each runs a PostgreSQL of its own.
  pytest -q -n auto --maxprocesses 4 "$@" </dev/null || failed="$failed, tests"
fi

if [ -n "$failed" ]; then
  echo "Failed: ${failed#, }" >&2
  exit 1
fi
