/*
 * Checks in HTTP/2: what they ask of a server that speaks it, what of its answer makes
 * it up or down, and which words say why; then the same of gRPC's health protocol.
 */
#include "h2_origin.h"

static void h2_setup(void)
{
	setup();
	open_h2_origin();
	add_server(h2_origin.port);
	settings.protocol = CONFIG_H2;
	settings.health.service = (char *)(uintptr_t) "";
	h2_origin.head = "HTTP/1.1 200 OK\r\n\r\n";
}

static void h2_teardown(void)
{
	close_h2_origin();
	teardown();
}

TestSuite(health_h2, .init = h2_setup, .fini = h2_teardown, .timeout = 30);

static void check_once(void)
{
	update();
	cr_assert(wait_until(is_settled));
}

static const char *reason(void)
{
	return server_health_reason(server(0));
}

/* --- a request ------------------------------------------------------------------- */

Test(health_h2, one_good_answer_makes_a_server_up)
{
	char asked[64];

	check_once();

	cr_expect(first_is_up());
	cr_expect_str_eq(reason(), "status 200");
	(void)snprintf(
		asked, sizeof(asked), "GET 127.0.0.1:%u/api/health", h2_origin.port);
	cr_expect_str_eq(h2_origin.request, asked);
}

Test(health_h2, a_status_that_is_not_expected_is_down)
{
	h2_origin.head = "HTTP/1.1 503 Service Unavailable\r\n\r\n";

	check_once();

	cr_expect(first_is_down());
	cr_expect_str_eq(reason(), "status 503");
}

Test(health_h2, a_stream_that_is_reset_is_down)
{
	h2_origin.resets = true;

	check_once();

	cr_expect(first_is_down());
	cr_expect_str_eq(reason(), "reset with HTTP/2's code 2");
}

static bool was_asked_ten_times(void)
{
	return h2_origin.asked >= 10;
}

Test(health_h2, each_check_has_a_connection_of_its_own)
{
	check_once();

	cr_assert(wait_until(was_asked_ten_times));

	cr_expect(first_is_up());
	cr_expect_geq(h2_origin.accepted, 10);
}

Test(health_h2, a_server_of_http1_is_down_and_the_reason_names_the_version)
{
	settings.n_servers = 0;
	open_origin(&origins[0], "HTTP/1.1 400 Bad Request\r\n\r\n");
	add_server(origins[0].port);

	check_once();

	cr_expect(first_is_down());
	cr_expect_str_eq(reason(), "the answer is not HTTP/2");
}

Test(health_h2, silence_is_down_after_the_time_out)
{
	settings.n_servers = 0;
	settings.health.timeout_ms = 50;
	open_origin(&origins[0], NULL);
	add_server(origins[0].port);

	check_once();

	cr_expect(first_is_down());
	cr_expect_str_eq(reason(), "no answer within 50 ms");
}

/* --- a call of gRPC -------------------------------------------------------------- */

static const char grpc_head[] =
	"HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\n\r\n";

static void answer_call(const char *message, size_t n, const char *trailers)
{
	settings.health.type = CONFIG_HEALTH_GRPC;
	h2_origin.head = grpc_head;
	h2_origin.message = message;
	h2_origin.message_n = n;
	h2_origin.trailers = trailers;
}

Test(health_h2, a_server_that_says_serving_is_up)
{
	char asked[128];
	answer_call("\0\0\0\0\2\x08\1", 7, "grpc-status: 0");

	check_once();

	cr_expect(first_is_up());
	cr_expect_str_eq(reason(), "SERVING");
	(void)snprintf(asked, sizeof(asked),
		"POST 127.0.0.1:%u/grpc.health.v1.Health/Check", h2_origin.port);
	cr_expect_str_eq(h2_origin.request, asked);
	cr_expect_eq(h2_origin.body_n, 5, "an empty message");
	cr_expect_arr_eq(h2_origin.body, "\0\0\0\0\0", 5);
}

Test(health_h2, the_call_names_the_service_that_is_asked_about)
{
	answer_call("\0\0\0\0\2\x08\1", 7, "grpc-status: 0");
	settings.health.service = (char *)(uintptr_t) "shop.Orders";
	settings.protocol = CONFIG_HTTP1; /* the check speaks HTTP/2 all the same */

	check_once();

	cr_expect(first_is_up());
	cr_expect_eq(h2_origin.body_n, 5 + 2 + 11);
	cr_expect_arr_eq(h2_origin.body, "\0\0\0\0\x0d\x0a\x0bshop.Orders", 18);
}

Test(health_h2, a_long_name_has_a_length_of_two_bytes)
{
	static char name[201];
	answer_call("\0\0\0\0\2\x08\1", 7, "grpc-status: 0");
	memset(name, 'x', 200);
	settings.health.service = name;

	check_once();

	cr_expect_eq(h2_origin.body_n, 5 + 3 + 200);
	cr_expect_arr_eq(h2_origin.body, "\0\0\0\0\xcb\x0a\xc8\x01x", 9);
}

Test(health_h2, a_server_that_serves_not_is_down)
{
	answer_call("\0\0\0\0\2\x08\2", 7, "grpc-status: 0");

	check_once();

	cr_expect(first_is_down());
	cr_expect_str_eq(reason(), "NOT_SERVING");
}

Test(health_h2, an_empty_message_says_unknown)
{
	answer_call("\0\0\0\0\0", 5, "grpc-status: 0");

	check_once();

	cr_expect(first_is_down());
	cr_expect_str_eq(reason(), "UNKNOWN");
}

Test(health_h2, fields_of_later_versions_are_passed_over)
{
	answer_call("\0\0\0\0\x0a\x12\3abc\x18\x96\1\x08\1", 15, "grpc-status: 0");

	check_once();

	cr_expect_str_eq(reason(), "SERVING");
}

Test(health_h2, a_call_that_fails_is_down_with_its_status)
{
	answer_call(NULL, 0, NULL);
	h2_origin.head = "HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\n"
			 "Grpc-Status: 12\r\n\r\n";

	check_once();

	cr_expect(first_is_down());
	cr_expect_str_eq(reason(), "grpc-status 12 (UNIMPLEMENTED)");
}

Test(health_h2, a_message_that_is_cut_off_is_no_answer)
{
	answer_call("\0\0\0\0\2\x08", 6, "grpc-status: 0");

	check_once();

	cr_expect(first_is_down());
	cr_expect_str_eq(reason(), "the answer is not gRPC");
}

Test(health_h2, an_answer_without_a_status_of_the_call_is_none)
{
	answer_call("\0\0\0\0\2\x08\1", 7, NULL);

	check_once();

	cr_expect(first_is_down());
	cr_expect_str_eq(reason(), "the answer is not gRPC");
}

Test(health_h2, an_http_error_in_front_of_the_call_is_down)
{
	answer_call(NULL, 0, NULL);
	h2_origin.head = "HTTP/1.1 502 Bad Gateway\r\n\r\n";

	check_once();

	cr_expect_str_eq(reason(), "status 502");
}
