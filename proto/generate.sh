#!/bin/sh
# Compiles proto/kho/v1 into proto/generated (or the folder given): committed, and checked fresh by tests/packaging.
#   BIN  folder of the programs (absolute); otherwise those of .venv
set -eu
cd "$(dirname "$0")/.."
out=${1:-proto/generated}
bin=${BIN:-$(pwd -P)/.venv/bin}
mkdir -p "$out"
# Beside the target, so that taking its place is a rename: what no proto file makes any more is gone, and a compiler
# that fails changes nothing.
new=$(mktemp -d "$out/new.XXXXXX")
trap 'rm -rf "$new"' EXIT
PATH="$bin:$PATH" "$bin/python" -m grpc_tools.protoc -Iproto \
  --python_out="$new" --grpc_python_out="$new" --mypy_out="quiet:$new" --mypy_grpc_out="quiet:$new" \
  proto/kho/v1/*.proto
touch "$new/kho/py.typed"
rm -rf "$out/kho"
mv "$new/kho" "$out/kho"
