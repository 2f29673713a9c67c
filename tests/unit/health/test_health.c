/*
 * Probes against small origins that live on the same loop: what makes a server go up
 * or down, when, and what a reload leaves as it is.
 */
#include "scene.h"

static void close_origin(struct origin *o)
{
	net_acceptor_free(o->acceptor);
	o->acceptor = NULL;
}

static bool first_is_not_ejected(void)
{
	return !server_is_ejected(server(0));
}

static bool first_was_asked_ten_times(void)
{
	return origins[0].asked >= 10;
}

TestSuite(health, .init = setup, .fini = teardown, .timeout = 30);

/* --- one check
 * ------------------------------------------------------------------------- */

Test(health, one_good_answer_makes_an_unknown_server_up)
{
	open_origin(&origins[0], fine);
	add_server(origins[0].port);
	update();
	cr_assert_eq(server_health(server(0)), SERVER_UNKNOWN);

	cr_assert(wait_until(is_settled));

	cr_assert(first_is_up());
	cr_assert_eq(settled, 1);
	cr_assert_str_eq(last_why, "status 200");
}

/* limits.header_bytes allows as much by default. */
static char large_head[31 * 1024];

Test(health, an_answer_with_a_large_head_is_an_answer)
{
	size_t n = (size_t)snprintf(
		large_head, sizeof(large_head), "HTTP/1.1 200 OK\r\nX-Large: ");

	memset(large_head + n, 'x', sizeof(large_head) - n - 40);
	(void)snprintf(large_head + sizeof(large_head) - 40, 40,
		"\r\nContent-Length: 0\r\n\r\n");
	open_origin(&origins[0], large_head);
	add_server(origins[0].port);
	update();

	cr_assert(wait_until(is_settled));

	cr_expect(first_is_up());
}

Test(health, the_request_names_the_host_and_is_the_last_on_its_connection)
{
	char host[64];
	open_origin(&origins[0], fine);
	add_server(origins[0].port);
	update();

	cr_assert(wait_until(is_settled));

	(void)snprintf(
		host, sizeof(host), "\r\nHost: 127.0.0.1:%u\r\n", origins[0].port);
	cr_assert_eq(
		strncmp(origins[0].request, "GET /api/health HTTP/1.1\r\n", 26), 0);
	cr_assert_not_null(strstr(origins[0].request, host));
	cr_assert_not_null(strstr(origins[0].request, "\r\nConnection: close\r\n"));
	cr_assert_not_null(
		strstr(origins[0].request, "\r\nUser-Agent: sluice-health\r\n"));
}

Test(health, a_first_check_that_fails_decides_alone)
{
	open_origin(&origins[0], broken);
	add_server(origins[0].port);
	update();

	cr_assert(wait_until(is_settled));

	cr_assert(first_is_down());
	cr_assert_str_eq(server_health_reason(server(0)), "status 500");
}

Test(health, nobody_listening_is_down_with_the_reason)
{
	open_origin(&origins[0], fine);
	add_server(origins[0].port);
	close_origin(&origins[0]);
	update();

	cr_assert(wait_until(is_settled));

	cr_assert(first_is_down());
	cr_assert_str_eq(server_health_reason(server(0)), "connection refused");
}

Test(health, silence_is_down_after_the_time_out)
{
	settings.health.timeout_ms = 50;
	open_origin(&origins[0], NULL);
	add_server(origins[0].port);
	update();

	cr_assert(wait_until(is_settled));

	cr_assert(first_is_down());
	cr_assert_str_eq(server_health_reason(server(0)), "no answer within 50 ms");
}

Test(health, a_connection_that_closes_without_an_answer_is_down)
{
	open_origin(&origins[0], "");
	add_server(origins[0].port);
	update();

	cr_assert(wait_until(is_settled));

	cr_assert_str_eq(server_health_reason(server(0)), "closed without an answer");
}

Test(health, what_is_not_http_is_down)
{
	open_origin(&origins[0], "220 mail.example.net ESMTP\r\n");
	add_server(origins[0].port);
	update();

	cr_assert(wait_until(is_settled));

	cr_assert_str_eq(server_health_reason(server(0)), "the answer is not HTTP");
}

Test(health, an_interim_answer_is_not_the_answer)
{
	open_origin(&origins[0], "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
				 "HTTP/1.1 204 No Content\r\n\r\n");
	add_server(origins[0].port);
	update();

	cr_assert(wait_until(is_settled));

	cr_assert_str_eq(last_why, "status 204");
	cr_assert(first_is_up());
}

Test(health, a_name_that_does_not_resolve_is_down)
{
	add_server(80);
	servers[0].address.numeric = false;
	servers[0].address.host = (char *)(uintptr_t) "no-such-host.invalid";
	update();

	cr_assert(wait_until(is_settled));

	cr_assert(first_is_down());
	cr_assert_str_eq(server_health_reason(server(0)), "name does not resolve");
}

Test(health, a_name_is_resolved_and_its_server_gets_the_address)
{
	struct sockaddr_storage sa;
	socklen_t len;
	open_origin(&origins[0], fine);
	add_server(origins[0].port);
	servers[0].address.numeric = false;
	servers[0].address.host = (char *)(uintptr_t) "localhost";
	servers[0].address.sa_len = 0;
	update();

	cr_assert(wait_until(is_settled));

	cr_assert(server_sockaddr(server(0), &sa, &len));
}

Test(health, a_tcp_check_asks_nothing)
{
	settings.health.type = CONFIG_HEALTH_TCP;
	open_origin(&origins[0], "");
	add_server(origins[0].port);
	update();

	cr_assert(wait_until(is_settled));

	cr_assert(first_is_up());
	cr_assert_eq(origins[0].asked, 0);
}

Test(health, without_checks_a_server_is_up_at_once)
{
	settings.health.type = CONFIG_HEALTH_NONE;
	add_server(9);

	update();

	cr_assert(first_is_up());
	cr_assert(wait_until(is_settled));
}

/* --- many checks
 * --------------------------------------------------------------------------- */

Test(health, a_server_falls_after_three_failures_and_rises_after_two_passes)
{
	open_origin(&origins[0], fine);
	add_server(origins[0].port);
	update();
	cr_assert(wait_until(is_settled));
	unsigned asked = origins[0].asked;

	origins[0].answer = broken;
	cr_assert(wait_until(first_is_down));
	cr_assert_eq(origins[0].asked, asked + 3);

	asked = origins[0].asked;
	origins[0].answer = fine;
	cr_assert(wait_until(first_is_up));
	cr_assert_eq(origins[0].asked, asked + 2);
	cr_assert_eq(changes, 3);
}

Test(health, an_ejected_server_comes_back_when_a_check_passes)
{
	open_origin(&origins[0], fine);
	open_origin(&origins[1], fine);
	add_server(origins[0].port);
	add_server(origins[1].port);
	update();
	cr_assert(wait_until(is_settled));
	for (int i = 0; i < 3; i++)
		(void)server_note_failure(server(0));
	cr_assert(server_is_ejected(server(0)));
	changes = 0;

	cr_assert(wait_until(first_is_not_ejected));

	cr_assert_eq(changes, 1, "the owner hears of it");
}

Test(health, it_is_settled_only_when_every_server_was_checked)
{
	settings.health.timeout_ms = 60;
	open_origin(&origins[0], fine);
	open_origin(&origins[1], NULL);
	add_server(origins[0].port);
	add_server(origins[1].port);
	update();
	cr_assert(wait_until(first_is_up));
	cr_assert_eq(settled, 0);

	cr_assert(wait_until(is_settled));

	cr_assert_eq(server_health(server(1)), SERVER_DOWN);
}

/* --- reload
 * ---------------------------------------------------------------------------------- */

Test(health, a_reload_inherits_what_is_known)
{
	open_origin(&origins[0], fine);
	open_origin(&origins[1], fine);
	add_server(origins[0].port);
	update();
	cr_assert(wait_until(is_settled));
	changes = 0;

	add_server(origins[1].port);
	update();

	cr_assert(first_is_up());
	cr_assert_eq(changes, 0);
	cr_assert_eq(server_health(server(1)), SERVER_UNKNOWN);
}

Test(health, a_server_that_left_is_asked_no_more_even_in_the_middle_of_a_check)
{
	open_origin(&origins[0], fine);
	open_origin(&origins[1], NULL);
	add_server(origins[0].port);
	add_server(origins[1].port);
	update();
	cr_assert(wait_until(first_is_up));

	settings.n_servers = 1;
	update();

	cr_assert(wait_until(is_settled));
	cr_assert(wait_until(first_was_asked_ten_times));
	cr_assert_eq(origins[1].asked, 0);
}

Test(health, a_changed_interval_counts_at_once)
{
	settings.health.interval_ms = 3600000;
	open_origin(&origins[0], fine);
	add_server(origins[0].port);
	update();
	cr_assert(wait_until(is_settled));
	cr_assert_eq(origins[0].asked, 1);

	settings.health.interval_ms = 10;
	update();

	cr_assert(wait_until(first_was_asked_ten_times));
}
