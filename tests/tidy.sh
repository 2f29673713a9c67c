#!/bin/sh
# tests/tidy.sh BUILD: what clang-tidy says of src/, by .clang-tidy and the compile
# commands of BUILD: of what the last commit and the working tree changed, and of what
# includes a header that they changed. Of every file where SLUICE_TEST_ALL is set, or
# where there is no history to ask. Exit status 77 without clang-tidy: not looked at.
set -eu

build=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
command -v clang-tidy >/dev/null || { echo "there is no clang-tidy"; exit 77; }

every_file() {
	find src -name '*.c'
}

changed() {
	git diff --name-only --diff-filter=d HEAD~1 -- src include
	git ls-files --others --exclude-standard -- src include
}

# A header counts for the sources that name it; a header's name is its path below
# include/ or below its room.
touched() {
	changed | while read -r file; do
		case $file in
		*.c) echo "$file" ;;
		include/*.h) grep -rlF --include='*.c' "\"${file#include/}\"" src || true ;;
		src/*.h)
			room=${file#src/}
			room=${room%%/*}
			grep -rlF --include='*.c' "\"${file#src/"$room"/}\"" "src/$room" || true
			;;
		esac
	done | sort -u
}

list=$(mktemp)
said=$(mktemp)
trap 'rm -f "$list" "$said"' EXIT
if [ -n "${SLUICE_TEST_ALL-}" ] || ! git rev-parse -q --verify HEAD~1 >/dev/null 2>&1; then
	every_file >"$list"
else
	touched >"$list"
fi

echo "clang-tidy looks at $(wc -l <"$list") of $(every_file | wc -l) files"
xargs -r -P2 -n2 clang-tidy --quiet -p "$build" <"$list" >"$said" 2>&1 || {
	grep -v 'warnings generated' "$said"
	exit 1
}
