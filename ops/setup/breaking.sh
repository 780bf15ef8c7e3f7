#!/bin/sh
# Compares the wire format with the last release: nothing that old clients rely on may change.
#
# The release is proto/released.binpb, an image that is committed with each release (`make release-image`, then tag).
# Comparing main with main could never fail. Until the first tag v* there is nothing to keep, and nothing is compared.
set -eu
cd "$(dirname "$0")/../.."
bin=${BIN:-.venv/bin}
image=proto/released.binpb

if [ -f "$image" ]; then
  exec "$bin/buf" breaking --against "$image"
fi
released=$(git tag --list 'v*' 2>/dev/null | head -n 1)
if [ -n "$released" ]; then
  echo "$released is tagged, but $image is missing: check that tag out, run 'make release-image', commit it." >&2
  exit 1
fi
echo "no release yet: nothing to compare with"
