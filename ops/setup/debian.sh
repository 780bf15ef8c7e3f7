#!/bin/sh
# Sees to the programs outside Python that the tests use. `make demo` and `kho serve` need none of them.
# As root on Debian: installs what is missing. Otherwise: names it with the exact command, and fails.
set -eu

missing=''
need() { # PACKAGE PROGRAM
  command -v "$2" >/dev/null 2>&1 || missing="$missing $1"
}

need openssl openssl           # judges our certificates and signatures with other code than ours
need poppler-utils pdftotext   # reads what a signature shows
need poppler-utils pdfsig      # judges signed PDFs with other code than ours
# Debian keeps these programs out of PATH. Only the programs are used: no server of the machine is touched.
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing postgresql"

[ -n "$missing" ] || exit 0
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
clean_up() { rm -f "$log" "$no_cluster"; }
trap clean_up EXIT

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
