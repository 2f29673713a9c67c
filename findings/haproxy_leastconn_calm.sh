#!/bin/sh
# HAProxy 2.6.12: with requests that do not overlap, `balance leastconn` forgets weights.
#
# Two servers of weights 99 and 1, a thousand requests one after the other: each server gets
# 500. The weight divides the number of connections, and 0/99 is 0/1, so that a calm pool is
# served in turn. Whoever gives a new release the weight 1 beside 99, and tries it at night,
# has half of the traffic on it. `roundrobin` gives the light one 10 of 1,000.
#
# Needs apt-get, dpkg, curl. Exit status 0: still so; 1: it has changed.
set -eu

version=2.6.12-1+deb12u4
work=$(mktemp -d) && chmod 755 "$work" # apt has a user of its own
pid=
trap '[ -z "$pid" ] || kill "$pid"; rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq "haproxy=$version" liblua5.3-0 libopentracing-c-wrapper0 \
	libopentracing1 libpcre2-8-0 >/dev/null
for package in *.deb; do dpkg -x "$package" root; done
LD_LIBRARY_PATH=$(find "$work/root" -name '*.so*' -printf '%h\n' | sort -u | paste -sd:)
export LD_LIBRARY_PATH

cat >haproxy.cfg <<END
global
	nbthread 1
defaults
	mode http
	timeout connect 5s
	timeout client 5s
	timeout server 5s
frontend heavy
	bind unix@$work/heavy
	http-request return status 200 content-type text/plain lf-string "heavy "
frontend light
	bind unix@$work/light
	http-request return status 200 content-type text/plain lf-string "light "
frontend calm
	bind unix@$work/leastconn
	default_backend leastconn
frontend turns
	bind unix@$work/roundrobin
	default_backend roundrobin
backend leastconn
	balance leastconn
	server heavy unix@$work/heavy weight 99
	server light unix@$work/light weight 1
backend roundrobin
	balance roundrobin
	server heavy unix@$work/heavy weight 99
	server light unix@$work/light weight 1
END
root/usr/sbin/haproxy -v | head -1
root/usr/sbin/haproxy -db -f haproxy.cfg &
pid=$!
until [ -S roundrobin ]; do :; done

light() {
	curl -s --unix-socket "$1" 'http://x/?[1-1000]' | tr ' ' '\n' | grep -c light
}

calm=$(light leastconn) turns=$(light roundrobin)
echo "requests of 1,000 to the server of weight 1 beside 99: leastconn $calm, roundrobin $turns"
[ "$calm" = 500 ] && [ "$turns" = 10 ]
