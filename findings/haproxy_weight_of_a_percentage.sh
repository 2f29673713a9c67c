#!/bin/sh
# HAProxy 2.6.12: `set weight SERVER 50%` of a server whose weight is 1 sets 0, and says nothing.
#
# A percentage is of the configured weight and is rounded down, so that every percentage
# below 100 takes a server of weight 1, which is the default, out of rotation. The command
# answers with an empty line, as it does when all is well; only `get weight` tells.
#
# Needs apt-get, dpkg, python3. Exit status 0: still so; 1: it has changed.
set -eu

version=2.6.12-1+deb12u4
work=$(mktemp -d) && chmod 755 "$work" # apt has a user of its own
pid=
trap '[ -z "$pid" ] || kill "$pid"; rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq "haproxy=$version" liblua5.3-0 libopentracing-c-wrapper0 \
	libopentracing1 libpcre2-8-0 >/dev/null
for package in *.deb; do dpkg -x "$package" root; done
libraries=$(find "$work/root" -name '*.so*' -printf '%h\n' | sort -u | paste -sd:)

cat >haproxy.cfg <<END
global
	stats socket $work/admin level admin
defaults
	mode http
	timeout connect 5s
	timeout client 5s
	timeout server 5s
backend pool
	server one unix@$work/nobody
	server two unix@$work/nobody weight 3
END
export LD_LIBRARY_PATH="$libraries"
root/usr/sbin/haproxy -v | head -1
root/usr/sbin/haproxy -db -f haproxy.cfg &
pid=$!
unset LD_LIBRARY_PATH
until [ -S admin ]; do :; done

ask() {
	python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect("admin")
s.sendall(sys.argv[1].encode() + b"\n")
print(b"".join(iter(lambda: s.recv(4096), b"")).decode().strip())' "$1"
}

said=$(ask 'set weight pool/one 50%')$(ask 'set weight pool/two 50%')
one=$(ask 'get weight pool/one') two=$(ask 'get weight pool/two')
echo "set weight ... 50% answers \"$said\"; of weight 1: $one; of weight 3: $two"
[ -z "$said" ] && [ "$one" = "0 (initial 1)" ] && [ "$two" = "1 (initial 3)" ]
