#!/bin/sh
# tests/install.sh GROUP...: installs the packages of tests/packages.txt that are
# missing. Says nothing and needs no rights when all of them are there.
set -eu

list=$(dirname "$0")/packages.txt
command -v dpkg-query >/dev/null || {
	echo "This is no Debian: install what $list names yourself." >&2
	exit 0
}

is_there() {
	dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed
}

missing=
for group in "$@"; do
	for package in $(awk -v group="$group" '$1 == group { print $2 }' "$list"); do
		# Any nginx will do.
		[ "$package" = nginx-light ] && command -v nginx >/dev/null && continue
		is_there "$package" || missing="$missing $package"
	done
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || {
		echo "Missing, and neither root nor sudo to install:$missing" >&2
		exit 1
	}
	as_root="sudo"
fi
echo "Installing:$missing"
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086
$as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null 2>&1 || {
	$as_root apt-get update -qq
	$as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
}
