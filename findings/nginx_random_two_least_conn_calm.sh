#!/bin/sh
# nginx 1.22.1: `random two least_conn` turns weights round while requests do not overlap.
#
# Two servers of weights 9 and 1, a thousand requests one after the other: the light one
# gets about 80 % instead of 10. Two servers are drawn by weight, and of two without a
# connection the one drawn second is taken; with so few servers that is mostly the light
# one, as the heavy one was drawn first. `random` alone gives it its tenth.
#
# Needs apt-get, dpkg, curl. Exit status 0: still so; 1: it has changed.
set -eu

version=1.22.1-9+deb12u11
work=$(mktemp -d) && chmod 755 "$work" # nginx's worker and apt have users of their own
pid=
trap '[ -z "$pid" ] || kill "$pid"; rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq "nginx=$version" libpcre2-8-0 >/dev/null
for package in *.deb; do dpkg -x "$package" root; done
libraries=$(find "$work/root" -name '*.so*' -printf '%h\n' | sort -u | paste -sd:)

cat >nginx.conf <<END
daemon off;
worker_processes 1;
pid $work/pid;
error_log $work/error.log;
events { }
http {
	access_log off;
	client_body_temp_path $work/body;
	proxy_temp_path $work/proxy;
	fastcgi_temp_path $work/fastcgi;
	uwsgi_temp_path $work/uwsgi;
	scgi_temp_path $work/scgi;
	server { listen unix:$work/heavy; location / { return 200 "heavy "; } }
	server { listen unix:$work/light; location / { return 200 "light "; } }
	upstream plain {
		random;
		server unix:$work/heavy weight=9;
		server unix:$work/light weight=1;
	}
	upstream two {
		random two least_conn;
		server unix:$work/heavy weight=9;
		server unix:$work/light weight=1;
	}
	server { listen unix:$work/plain; location / { proxy_pass http://plain; } }
	server { listen unix:$work/two; location / { proxy_pass http://two; } }
}
END
LD_LIBRARY_PATH=$libraries root/usr/sbin/nginx -v 2>&1
LD_LIBRARY_PATH=$libraries root/usr/sbin/nginx -e "$work/error.log" -p "$work" -c "$work/nginx.conf" &
pid=$!
until [ -S two ]; do :; done

light() {
	curl -s --unix-socket "$1" 'http://x/?[1-1000]' | tr ' ' '\n' | grep -c light
}

two=$(light two) plain=$(light plain)
echo "requests of 1,000 to the server of weight 1 beside 9: random two $two, random $plain"
[ "$two" -gt 700 ] && [ "$plain" -lt 200 ]
