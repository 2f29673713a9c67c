/*
 * Where PostgreSQL is given by name, the name is looked up on the loop: libpq would
 * stop the journal for as long as the resolver takes.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sluice/base/clock.h"

#include "scene.h"

static int listener = -1;
static unsigned port;

/* Somebody who takes connections, on loopback's IPv4 address alone. */
static void setup(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sa);

	scene_begin();
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	cr_assert_eq(bind(listener, (struct sockaddr *)&sa, sizeof(sa)), 0);
	cr_assert_eq(listen(listener, 8), 0);
	cr_assert_eq(getsockname(listener, (struct sockaddr *)&sa, &len), 0);
	port = ntohs(sa.sin_port);
}

static void teardown(void)
{
	close(listener); /* nobody is waited for */
	scene_end();
}

TestSuite(names, .init = setup, .fini = teardown, .timeout = 100);

static void open_towards(const char *format)
{
	char conninfo[256];

	(void)snprintf(conninfo, sizeof(conninfo), format, port);
	scene_open(conninfo);
}

static bool came;

static bool has_come(void)
{
	int fd = accept(listener, NULL, NULL);

	if (fd != -1) {
		came = true;
		close(fd);
	}
	return came;
}

Test(names, a_name_is_looked_up_and_all_its_addresses_are_tried)
{
	open_towards("host=localhost port=%u dbname=x sslmode=disable");

	scene_until(has_come);
}

Test(names, so_is_one_in_a_uri)
{
	open_towards("postgresql://someone@localhost:%u/x?sslmode=disable");

	scene_until(has_come);
}

Test(names, an_address_needs_no_lookup)
{
	open_towards("host=127.0.0.1 port=%u dbname=x");

	scene_until(has_come);
}

Test(names, the_operators_own_address_is_used_instead_of_the_name)
{
	open_towards("host=db.invalid hostaddr=127.0.0.1 port=%u dbname=x");

	scene_until(has_come);
}

Test(names, of_several_hosts_libpq_takes_care)
{
	open_towards("host=/nowhere,127.0.0.1 port=%u dbname=x");

	scene_until(has_come);
}

/* In our words: libpq was not asked. */
Test(names, a_name_without_an_address_is_told)
{
	open_towards("host=no..name port=%u dbname=x");

	scene_until_trouble_tells("no address found for no..name");

	cr_assert_eq(scene_look().forward, JOURNAL_AWAY);
}

Test(names, closing_does_not_wait_for_a_lookup)
{
	uint64_t start = clock_mono_ms();

	scene_open("host=localhost port=1 dbname=x");
	scene_close();

	cr_assert_lt(clock_mono_ms() - start, 3000);
}
