#!/bin/sh
# tests/tidy.sh BUILD: what clang-tidy says of each file of src/, by .clang-tidy and the
# compile commands of BUILD. Exit status 77 without clang-tidy: not looked at.
set -eu

build=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
command -v clang-tidy >/dev/null || { echo "there is no clang-tidy"; exit 77; }

said=$(mktemp)
trap 'rm -f "$said"' EXIT
find src -name '*.c' -print0 |
	xargs -0 -P2 -n4 clang-tidy --quiet -p "$build" >"$said" 2>&1 || {
	grep -v 'warnings generated' "$said"
	exit 1
}
