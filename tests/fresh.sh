#!/bin/sh
# tests/fresh.sh: what a new user meets. Makes a minimal Debian root, puts a clean clone
# of HEAD into it, and runs both commands of the README there, as they stand in it; a
# package that no list names is missing there, as on no machine where sluice was ever
# built. Needs root (a root of its own means chroot and mounts) and half an hour.
#
#   tests/fresh.sh          both commands; exit status 1 if one of them fails
#   tests/fresh.sh --keep   the same, and leaves the root where it is, and says where
#
# The root has the host's apt configuration, so it takes its packages from where the
# host takes them. All it mounts and starts ends with the script.
set -eu

keep=no
case ${1-} in
'') ;;
--keep) keep=yes ;;
*) sed -n '2,12s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
[ "$(id -u)" = 0 ] || { echo "tests/fresh.sh: needs root, for a root of its own" >&2; exit 1; }

# Once more, in mounts and processes of its own: they end with it, however it ends.
if [ -z "${SLUICE_FRESH-}" ]; then
	SLUICE_FRESH=inside exec unshare --mount --pid --fork --kill-child "$0" "$@"
fi

source=$(cd "$(dirname "$0")/.." && pwd)
"$source/tests/install.sh" fresh
root=$(mktemp -d /var/tmp/sluice-fresh-XXXXXX)
chmod 755 "$root" # it is to be / of users that are not root, too
at_end() {
	umount -R "$root/proc" "$root/dev" 2>/dev/null || true
	if [ $keep = yes ]; then
		echo "The root is $root"
	else
		rm -rf --one-file-system "$root"
	fi
}
trap at_end EXIT
trap 'exit 1' INT TERM HUP

# Of the host's apt: its first archive of packages, and the name of its release.
release=$(. /etc/os-release && echo "$VERSION_CODENAME")
archive=$(apt-get indextargets --format '$(SITE) $(CODENAME) $(SUITE)' 'Created-By: Packages' |
	awk -v release="$release" '$2 == release || $3 == release { print $1; exit }')
[ -n "$archive" ] || { echo "tests/fresh.sh: apt has no archive of $release" >&2; exit 1; }

echo "== a minimal $release"
debootstrap --variant=minbase "$release" "$root" "$archive" >"$root.log" 2>&1 || {
	tail -n 20 "$root.log" >&2
	exit 1
}
rm -f "$root.log"

for part in sources.list sources.list.d apt.conf.d preferences.d trusted.gpg.d auth.conf.d; do
	rm -rf "$root/etc/apt/$part"
	[ ! -e "/etc/apt/$part" ] || cp -a "/etc/apt/$part" "$root/etc/apt/$part"
done
mkdir -p "$root/usr/share/keyrings"
cp -a /usr/share/keyrings/. "$root/usr/share/keyrings/"
cp -L /etc/resolv.conf /etc/hosts "$root/etc/"

mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755 dev "$root/dev"
for node in null zero full random urandom tty; do
	touch "$root/dev/$node"
	mount --bind "/dev/$node" "$root/dev/$node"
done
mkdir "$root/dev/shm" "$root/dev/pts"
mount -t tmpfs -o mode=1777 shm "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
ln -s fd/0 "$root/dev/stdin"
ln -s fd/1 "$root/dev/stdout"
ln -s fd/2 "$root/dev/stderr"

git clone -q --no-local "$source" "$root/root/sluice"

# What the README opens with: its first block of commands, without their comments. The
# demo serves until it is told to end, unless it is told to before.
commands=$(awk '/^```sh/ { inside = 1; next } /^```/ && inside { exit } inside' \
	"$source/README.md" | sed -e 's/ *#.*//' -e 's|demo\.sh$|demo.sh --once|')
[ "$(echo "$commands" | wc -l)" = 2 ] || {
	echo "tests/fresh.sh: the README no longer opens with two commands" >&2
	exit 1
}

failed=0
for_each_command() {
	while read -r command; do
		echo "== $command"
		begun=$(date +%s)
		if env -i HOME=/root TERM=dumb LANG=C.UTF-8 \
			PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
			chroot "$root" /bin/sh -c "cd /root/sluice && $command" </dev/null; then
			echo "== $command: right, in $(($(date +%s) - begun)) s"
		else
			echo "== $command: FAILED after $(($(date +%s) - begun)) s"
			failed=1
		fi
	done
}
for_each_command <<END
$commands
END
exit $failed
