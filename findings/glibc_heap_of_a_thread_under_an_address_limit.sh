#!/bin/sh
# glibc 2.36: under an address limit (`prlimit --as`, LimitAS=) every block of a thread has a
# mapping of its own, unless the program says M_ARENA_MAX=1.
#
# A thread's first malloc makes it a heap, which reserves 64 MiB of addresses (it asks for
# 128 and trims). Where they are not there, the thread gets no share of another heap: each
# of its mallocs asks for the 128 and for the 64 again and then maps a page, each free
# unmaps it, for a block of 16 bytes too. So a threaded server that is bounded to 120 MB
# takes a page for each of the hundreds of small blocks of a TLS handshake, runs out far
# sooner than its bound says, and spends its time in mmap. With GLIBC_TUNABLES or mallopt
# set to one arena the same program maps nothing.
#
# Needs apt-get, dpkg, gcc. Exit status 0: still so; 1: it has changed.
set -eu

version=2.36-9+deb12u14
work=$(mktemp -d) && chmod 755 "$work" # apt has a user of its own
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq "libc6=$version" >/dev/null
dpkg -x libc6_*.deb root
loader=$(find "$work/root" -name 'ld-linux-x86-64.so.2' | head -1)
libraries=$(dirname "$(find "$work/root" -name libc.so.6 | head -1)")

cat >blocks.c <<'END'
#include <gnu/libc-version.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

static void *take(void *mapped)
{
	for (int i = 0; i < 500; i++)
		if (malloc(16) == NULL)
			abort();
	*(size_t *)mapped = mallinfo2().hblks;
	return NULL;
}

int main(void)
{
	struct rlimit most = { 60 << 20, 60 << 20 };
	size_t mapped = 0;
	pthread_attr_t small;
	pthread_t thread;

	setrlimit(RLIMIT_AS, &most);
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 1 << 20);
	if (pthread_create(&thread, &small, take, &mapped) != 0)
		return 1;
	pthread_join(thread, NULL);
	printf("glibc %s: 500 blocks of 16 bytes in a thread, %zu mappings\n",
		gnu_get_libc_version(), mapped);
	return 0;
}
END
gcc -O0 -pthread blocks.c -o blocks
"$loader" --library-path "$libraries" ./blocks | tee each
GLIBC_TUNABLES=glibc.malloc.arena_max=1 "$loader" --library-path "$libraries" ./blocks | tee one
grep -q '^glibc 2.36: .* 50[0-9] mappings$' each && grep -q '^glibc 2.36: .* 0 mappings$' one
