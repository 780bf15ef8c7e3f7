#!/bin/sh
# Makes .venv with the pinned versions: quietly, and only when something changed since the last time.
#   PYTHON  the interpreter to use; otherwise the one .venv has, otherwise python3
set -eu
cd "$(dirname "$0")/../.."
here=$(pwd -P)
bin=.venv/bin
stamp=.venv/kho-installed
extras=server,embedded,demo,dev
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore

fail() {
  printf '%s\n' "$@" >&2
  exit 1
}

minor_of() {
  "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true
}

# Works: its own interpreter still finds its own pip (not after Debian's python3 became another minor version), and its
# scripts name this folder (not after the folder was moved or copied).
venv_works() {
  [ -x "$bin/python" ] && "$bin/python" -m pip --version >/dev/null 2>&1 &&
    grep -qsF "$here/.venv/bin/" "$bin/pip"
}

wanted_stamp() {
  printf '%s %s [%s] %s\n' "$here" "$(minor_of "$bin/python")" "$extras" \
    "$(cat pyproject.toml constraints.txt ops/setup/venv.sh | cksum)"
}

asked=''
if [ -n "${PYTHON:-}" ]; then
  asked=$(minor_of "$PYTHON")
  [ -n "$asked" ] || fail "PYTHON=$PYTHON does not run: name a Python of 3.11 or newer."
fi

if [ -d .venv ]; then
  if [ -n "$asked" ] && [ "$asked" != "$(minor_of "$bin/python")" ]; then
    rm -rf .venv
  elif [ -f "$stamp" ] && "$bin/python" -c 'import pip' 2>/dev/null && [ "$(cat "$stamp")" = "$(wanted_stamp)" ]; then
    exit 0
  elif ! venv_works; then
    rm -rf .venv
  fi
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT

quietly() {
  if ! "$@" >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    fail "Setting up .venv failed at: $*"
  fi
}

if [ ! -d .venv ]; then
  python=${PYTHON:-python3}
  minor=$(minor_of "$python")
  case $minor in
    3.1[1-9] | 3.[2-9][0-9]) ;;
    '') fail "There is no $python here. Kho needs Python 3.11 or newer: apt-get install python3 python3-venv" ;;
    *) fail "$python is Python $minor, and Kho needs 3.11 or newer: make PYTHON=/path/to/python3.11 ..." ;;
  esac
  "$python" -c 'import ensurepip' 2>/dev/null ||
    fail "$python cannot make virtual environments: apt-get install python3-venv"
  # An interrupted run must leave nothing that looks finished: the stamp comes last.
  quietly "$python" -m venv "$here/.venv"
fi

printf 'Installing Kho with Python %s into .venv (a minute or two, once) ...\n' "$(minor_of "$bin/python")"
rm -f "$stamp"
# The build backend first, pinned too: pip's isolated build environment would ignore the constraints.
quietly "$bin/python" -m pip install --quiet -c constraints.txt hatchling editables
quietly "$bin/python" -m pip install --quiet -c constraints.txt --no-build-isolation -e ".[$extras]"
wanted_stamp >"$stamp"
