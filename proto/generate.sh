#!/bin/sh
# Compiles proto/kho/v1 into proto/generated (or the folder given): committed, and checked fresh by tests/packaging.
set -eu
cd "$(dirname "$0")/.."
out=${1:-proto/generated}
bin=${BIN:-.venv/bin}
mkdir -p "$out"
PATH="$bin:$PATH" "$bin/python" -m grpc_tools.protoc -Iproto \
  --python_out="$out" --grpc_python_out="$out" --mypy_out="$out" --mypy_grpc_out="$out" \
  proto/kho/v1/*.proto
touch "$out/kho/py.typed"
