#!/bin/sh
# Builds sluice in every way that is tested and runs the tests.
#
#   tests/run.sh        the quick tier: under 15 minutes on two cores
#   tests/run.sh --all  also the thread sanitizer, the slow scenarios, the long soak
#
# Everything runs under one ctest, whose summary is the last thing printed.
set -eu

cd "$(dirname "$0")/.."
all=no
for argument in "$@"; do
	case $argument in
	--all) all=yes ;;
	*) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 2 ;;
	esac
done

cores=$(nproc)
run=build-run
slots=3 # of ctest for a core: SLUICE_SLOTS in tests/CMakeLists.txt

build() {
	echo "== building: $1"
	if ! { cmake --preset "$1" && cmake --build "$2" -j "$cores"; } >"$run/$1.log" 2>&1; then
		tail -60 "$run/$1.log" >&2
		exit 1
	fi
}

# A test on its own line of ctest: name, properties, command.
add() {
	name=$1 properties=$2
	shift 2
	printf 'add_test(%s' "$name"
	printf ' "%s"' "$@"
	printf ')\nset_tests_properties(%s PROPERTIES %s)\n' "$name" "$properties"
}

fuzz_tests() {
	for target in build-fuzz/bin/fuzz_*; do
		[ -x "$target" ] || continue
		name=${target##*/fuzz_}
		mkdir -p "$run/corpus/$name"
		add "fuzz.$name" "LABELS fuzz TIMEOUT $(($1 + 100)) PROCESSORS $slots COST 100" \
			"$PWD/$target" -max_total_time="$1" \
			-timeout=5 -rss_limit_mb=1024 -print_final_stats=0 -verbosity=0 \
			"-artifact_prefix=$PWD/$run/$name-" "$PWD/$run/corpus/$name" \
			"$PWD/tests/fuzz/corpus/$name"
	done
}

./tests/install.sh build test
[ $all = no ] || ./tests/install.sh all
mkdir -p "$run"
build release build
build sanitize build-sanitize
build fuzz build-fuzz
[ $all = no ] || build thread build-thread

soak_seconds=60 fuzz_seconds=20 tier="-LE slow"
if [ $all = yes ]; then
	soak_seconds=480 fuzz_seconds=120 tier=
	export SLUICE_TEST_ALL=1
fi
export SLUICE_SOAK_SECONDS=$soak_seconds
{
	echo "subdirs(\"$PWD/build\" \"$PWD/build-sanitize\")"
	[ $all = no ] || echo "subdirs(\"$PWD/build-thread\")"
	fuzz_tests "$fuzz_seconds"
	add gate "LABELS gate TIMEOUT 400 RUN_SERIAL ON" "$PWD/loadtest/bench" --gate
	# A root of its own, with everything once more: by root alone.
	[ $all = no ] || [ "$(id -u)" != 0 ] ||
		add fresh "LABELS fresh TIMEOUT 5400 RUN_SERIAL ON" "$PWD/tests/fresh.sh"
} >"$run/CTestTestfile.cmake"

# shellcheck disable=SC2086
ctest --test-dir "$run" $tier -j $((cores * slots)) --output-on-failure --no-tests=error --timeout 900
