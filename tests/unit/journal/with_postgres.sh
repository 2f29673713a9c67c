#!/bin/sh
# with_postgres.sh COMMAND...: runs it beside a throwaway PostgreSQL that listens on a
# Unix socket only. Gives it PG_TEST_HOST (the socket's folder) and PG_TEST_CTL, a
# command that takes what pg_ctl takes: stop, start ...
set -eu

bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
if [ -z "$bin" ]; then
	echo "with_postgres.sh: no PostgreSQL server here: apt-get install postgresql" >&2
	exit 1
fi

dir=$(mktemp -d /tmp/sluice-pg-XXXXXX)
as=""
if [ "$(id -u)" = 0 ]; then # PostgreSQL refuses to run as root
	chown postgres "$dir"
	as="runuser -u postgres --"
fi
chmod 755 "$dir"

# From its own folder: postgres may not enter ours.
ctl="cd $dir && $as $bin/pg_ctl -D $dir/data -l $dir/log -s -w"
stop()
{
	sh -c "$ctl stop -m immediate" >/dev/null 2>&1 || true
	rm -rf "$dir"
}
trap stop EXIT
trap 'exit 1' INT TERM

(cd "$dir" && $as "$bin/initdb" -D "$dir/data" -U postgres -A trust --no-sync -E UTF8 >/dev/null)
cat >>"$dir/data/postgresql.conf" <<END
listen_addresses = ''
unix_socket_directories = '$dir'
shared_buffers = 16MB
fsync = off
END
sh -c "$ctl start"

PG_TEST_HOST="$dir" PG_TEST_CTL="$ctl" "$@"
