/* Real exchanges that new fails and legacy answers, and what is left of them. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sluice/base/clock.h"
#include "sluice/base/mem.h"

#include "house.h"

enum { PATIENCE_MS = 5000 };

static struct house house;
static int legacy, new_;
static uint16_t legacy_port, new_port;
static int client = -1, at_new = -1, at_legacy = -1;

static const char fine[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
static const char half_an_error[] =
	"HTTP/1.1 500 Oops\r\nContent-Length: 1000\r\n\r\nhalf";

static void load(const char *max_body, bool with_new)
{
	char *text = mem_print(
		"listeners = ( { name = \"l\"; address = \"%%L\"; } );"
		"pools = { legacy = { servers = ( { address = \"127.0.0.1:%u\"; } ); };"
		"new = { servers = ( { address = \"127.0.0.1:%u\"; } ); }; };"
		"migrations = { m = { legacy = \"legacy\"; new = \"new\";"
		"weights = { legacy = 0; new = 100; };"
		"rescue = { max_body = \"%s\"; }; }; };"
		"routes = ( { host = \"*\"; path = \"/\"; migration = \"m\"; } );",
		legacy_port, with_new ? new_port : legacy_port, max_body);

	house_load(&house, text);
	free(text);
}

static void setup(void)
{
	legacy = far_listen(&legacy_port);
	new_ = far_listen(&new_port);
	house_open(&house, 1);
}

static void teardown(void)
{
	house_close(&house);
	close(client);
	close(at_new);
	close(at_legacy);
	close(legacy);
	close(new_);
}

TestSuite(rescue, .init = setup, .fini = teardown, .timeout = 20);

/* New has begun to say that it failed, and legacy has answered. */
static void rescue_one(void)
{
	client = house_connect(&house);
	far_write(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	at_new = far_accept(new_);
	cr_assert_not_null(far_read(at_new, 0));
	far_write(at_new, half_an_error);
	at_legacy = far_accept(legacy);
	cr_assert_not_null(far_read(at_legacy, 0));
	far_write(at_legacy, fine);
	const char *answer = far_read(client, 2);
	cr_assert_not_null(answer);
	cr_assert_eq(strncmp(answer, "HTTP/1.1 200 ", 13), 0, "%s", answer);
}

static uint64_t idle_of_new(void)
{
	struct server_counts c;

	server_sum(pool_server(snapshot_pools(house.current)[1], 0), &c);
	return c.idle;
}

/* No snapshot names the server any more, and control has swept. */
static void until_new_has_left(void)
{
	uint64_t until_ms = clock_mono_ms() + 200;

	while (clock_mono_ms() < until_ms) {
		proxy_sweep(house.proxy);
		registry_sweep(house.registry);
	}
}

static void rest_of_the_error(void)
{
	for (int i = 0; i < 996; i++)
		far_write(at_new, "x");
}

Test(rescue, the_connection_stays_when_the_rest_of_the_error_is_short)
{
	uint64_t until_ms = clock_mono_ms() + PATIENCE_MS;
	load("64k", true);
	rescue_one();

	rest_of_the_error();
	while (idle_of_new() == 0 && clock_mono_ms() < until_ms)
		continue;

	cr_expect_eq(idle_of_new(), 1);
}

Test(rescue, the_threads_may_end_while_the_rest_of_an_error_is_awaited)
{
	load("64k", true);

	rescue_one();

	/* The teardown ends them, and asserts that no connection is left. */
	cr_expect_eq(idle_of_new(), 0);
}

Test(rescue, the_server_may_leave_while_the_rest_of_its_error_is_awaited)
{
	char byte;
	load("64k", true);
	rescue_one();

	load("64k", false);
	until_new_has_left();
	rest_of_the_error();

	cr_expect_eq(recv(at_new, &byte, 1, 0), 0);
}

/* --- bodies that are held for another attempt
 * ------------------------------------------- */

/* A request that may be sent twice, with a large head and body. */
static void upload(size_t head, size_t body)
{
	char *fill = mem_zero(head + body + 1), *text;
	memset(fill, 'x', head + body);

	text = mem_print("PUT / HTTP/1.1\r\nHost: a\r\nIdempotency-Key: 1\r\n"
			 "Fill: %.*s\r\nContent-Length: %zu\r\n\r\n%.*s",
		(int)head, fill, body, (int)body, fill);
	client = house_connect(&house);
	far_write(client, text);
	free(fill);
	free(text);
}

static void expect_that_new_gets(size_t body)
{
	at_new = far_accept(new_);
	const char *got = far_read(at_new, body);
	cr_assert_not_null(got, "new did not get the body");
	far_write(at_new, fine);
	const char *answer = far_read(client, 2);
	cr_assert_not_null(answer);
	cr_expect_eq(strncmp(answer, "HTTP/1.1 200 ", 13), 0, "%s", answer);
}

Test(rescue, a_large_body_behind_a_large_head_goes_through_though_it_is_not_held)
{
	load("64k", true);

	upload(25000, 300000);

	expect_that_new_gets(300000);
}

Test(rescue, the_largest_body_that_can_be_configured_is_held_behind_the_largest_head)
{
	load("92k", true);

	upload(32000, 92 << 10);
	at_new = far_accept(new_);
	cr_assert_not_null(far_read(at_new, 92 << 10));
	far_write(at_new, half_an_error);

	at_legacy = far_accept(legacy);
	cr_assert_not_null(far_read(at_legacy, 92 << 10));
	far_write(at_legacy, fine);
	const char *answer = far_read(client, 2);
	cr_assert_not_null(answer);
	cr_expect_eq(strncmp(answer, "HTTP/1.1 200 ", 13), 0, "%s", answer);
}
