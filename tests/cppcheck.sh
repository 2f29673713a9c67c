#!/bin/sh
# tests/cppcheck.sh: what cppcheck says of src/, but for tests/cppcheck.txt. Exit status
# 77 without cppcheck: not looked at.
set -eu

cd "$(dirname "$0")/.."
command -v cppcheck >/dev/null || { echo "there is no cppcheck"; exit 77; }

# Each room finds its own headers, in its folders too.
rooms=$(find src -mindepth 1 -maxdepth 1 -type d -printf '-I%p ')

# shellcheck disable=SC2086
exec cppcheck --enable=warning,performance,portability --error-exitcode=1 --quiet -j2 \
	--std=c11 --library=posix,gnu --suppressions-list=tests/cppcheck.txt \
	-Iinclude $rooms -D_GNU_SOURCE -D__x86_64__ '-DSLUICE_VERSION=""' src
