#!/bin/sh
# Shows sluice at work, from a clean clone on a fresh Debian 12: installs what is
# missing, builds, makes certificates, starts two pools of two servers each, sluice
# in front of them, and traffic; then two migrations, a good one and a bad one.
#
#   loadtest/demo.sh         ... and keeps serving, for you to play with
#   loadtest/demo.sh --once  ... and ends; its exit status says whether all went well
set -eu

cd "$(dirname "$0")/.."
case ${1-} in
'' | --once) ;;
*) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac

./tests/install.sh build demo
echo "Building (build/demo-build.log) ..."
mkdir -p build
if ! { cmake --preset release && cmake --build build -j "$(nproc)" \
	--target sluice sluicectl origin; } >build/demo-build.log 2>&1; then
	tail -40 build/demo-build.log >&2
	exit 1
fi
./certs/make.sh
exec /usr/bin/python3 -B loadtest/demo.py "$@"
