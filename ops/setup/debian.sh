#!/bin/sh
# Sees to the programs outside Python that the tests use. `make demo` and `kho serve` need none of them.
# As root on Debian: installs what is missing. Otherwise: names it with the exact command, and fails.
# Prometheus is only unpacked, for any user: its package would start a server on this machine.
set -eu
cd "$(dirname "$0")/../.."

missing=''
need() { # PACKAGE PROGRAM
  command -v "$2" >/dev/null 2>&1 || missing="$missing $1"
}

need openssl openssl           # judges our certificates and signatures with other code than ours
need poppler-utils pdftotext   # reads what a signature shows
need poppler-utils pdfsig      # judges signed PDFs with other code than ours
# Debian keeps these programs out of PATH. Only the programs are used: no server of the machine is touched.
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing postgresql"

install_missing() {
  missing=$(printf '%s\n' $missing | sort -u | tr '\n' ' ')
  missing=${missing% }

  if ! command -v apt-get >/dev/null 2>&1; then
    echo "The tests need programs that are missing here; Debian's packages of them are: $missing" >&2
    exit 1
  fi
  if [ "$(id -u)" -ne 0 ]; then
    echo "The tests need Debian packages that are missing here. Install them once, as root:" >&2
    echo "    apt-get update && apt-get install --no-install-recommends $missing" >&2
    echo "or run 'make packages' as root, which makes no PostgreSQL cluster and starts no service." >&2
    exit 1
  fi

  echo "Installing Debian packages: $missing ..."
  log=$(mktemp)
  no_cluster=/etc/postgresql-common/createcluster.d/kho-tests.conf
  trap 'rm -f "$log" "$no_cluster"' EXIT

  # Installing postgresql would make a cluster and start it. This machine's own choice is left as it was afterwards.
  mkdir -p "$(dirname "$no_cluster")"
  echo 'create_main_cluster = false' >"$no_cluster"

  export DEBIAN_FRONTEND=noninteractive
  # shellcheck disable=SC2086 - a list of package names
  if ! { apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing; } >"$log" 2>&1 </dev/null; then
    tail -n 20 "$log" >&2
    echo "Installing these Debian packages failed: $missing" >&2
    exit 1
  fi
  rm -f "$log" "$no_cluster"
}
[ -z "$missing" ] || install_missing

# Judges dashboards and alert rules, and scrapes a server: promtool and prometheus, kept in .packages.
tools=.packages/prometheus
tools_work() { # FOLDER/ or nothing, for PATH
  "${1:-}promtool" --version >/dev/null 2>&1 && "${1:-}prometheus" --version >/dev/null 2>&1
}

fetch_prometheus() {
  if ! command -v apt-get >/dev/null 2>&1 || ! command -v dpkg-deb >/dev/null 2>&1; then
    echo "The tests need 'prometheus' and 'promtool' in PATH, or Debian to unpack its package 'prometheus' from." >&2
    exit 1
  fi
  mkdir -p .packages
  fresh=$(mktemp -d "$(pwd -P)/.packages/fetching.XXXXXX")
  trap 'rm -rf "$fresh"' EXIT
  mkdir -p "$fresh/state/lists/partial" "$fresh/cache/archives/partial"
  if ! (
    cd "$fresh"
    # The machine's package lists if they know it; else lists of our own, which need no root.
    apt-get -o APT::Sandbox::User= download -q prometheus ||
      {
        set -- -o APT::Sandbox::User= -o Dir::State="$fresh/state" -o Dir::State::Lists="$fresh/state/lists" \
          -o Dir::State::status=/var/lib/dpkg/status -o Dir::Cache="$fresh/cache"
        apt-get "$@" update -q && apt-get "$@" download -q prometheus
      }
    dpkg-deb -x prometheus_*.deb package
  ) >"$fresh/log" 2>&1 </dev/null; then
    tail -n 20 "$fresh/log" >&2
    echo "Unpacking Debian's package 'prometheus' failed; 'prometheus' and 'promtool' in PATH would do as well." >&2
    exit 1
  fi
  rm -rf "$tools"
  mkdir "$fresh/tools"
  mv "$fresh/package/usr/bin/prometheus" "$fresh/package/usr/bin/promtool" "$fresh/tools/"
  mv "$fresh/tools" "$tools"
  rm -rf "$fresh"
}
tools_work || tools_work "$tools/" || fetch_prometheus
