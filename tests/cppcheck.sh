#!/bin/sh
# tests/cppcheck.sh: what cppcheck says of src/, but for tests/cppcheck.txt. Exit status
# 77 without cppcheck: not looked at.
set -eu

cd "$(dirname "$0")/.."
command -v cppcheck >/dev/null || { echo "there is no cppcheck"; exit 77; }

exec cppcheck --enable=warning,performance,portability --error-exitcode=1 --quiet -j2 \
	--std=c11 --library=posix,gnu --suppressions-list=tests/cppcheck.txt \
	-Iinclude -D_GNU_SOURCE -D__x86_64__ '-DSLUICE_VERSION=""' src
