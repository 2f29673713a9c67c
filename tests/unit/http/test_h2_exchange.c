/* Requests and responses over two sessions that talk. */
#include "h2_side.h"

TestSuite(h2_exchange, .init = setup, .fini = teardown);

Test(h2_exchange, a_request_arrives_as_a_head_and_its_end)
{
	struct owner *o =
		request("GET /a?b HTTP/1.1\r\nHost: h:1\r\nX-A: 1\r\n\r\n", false);

	talk();

	cr_assert_eq(o->stream, 1);
	cr_assert_str_eq(server->said, "1 GET /a?b h:1 nothing\n  x-a: 1\n1 end\n");
}

Test(h2_exchange, a_response_arrives_with_its_body_and_both_sides_are_done)
{
	get();
	talk();
	hush();

	has_to_send(&server->owner[0], "hello", 5);
	cr_assert_eq(respond("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true), 0);
	talk();

	cr_assert_str_eq(client->said,
		"1 200 length 5\n  content-length: 5\ndata hello\n1 end\n1 closed\n");
	cr_assert_str_eq(server->said, "1 closed\n");
	cr_assert_eq(h2_open_streams(server->h2), 0);
	cr_assert_eq(h2_open_streams(client->h2), 0);
}

Test(h2_exchange, a_body_of_unknown_length_is_open_until_its_end)
{
	struct owner *o = request(
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
		true);
	has_to_send(o, "abc", 3);
	o->more = true;
	talk();
	cr_assert_str_eq(server->said, "1 POST / a open\ndata abc\n");
	hush();

	has_to_send(o, "abcdef", 6);
	o->more = false;
	h2_resume(client->h2, o->stream);
	talk();

	cr_assert_str_eq(server->said, "data def\n1 end\n");
}

Test(h2_exchange, a_length_that_was_written_out_goes_on)
{
	struct owner *o = request(
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n", true);
	has_to_send(o, "hi", 2);

	talk();

	cr_assert_str_eq(server->said,
		"1 POST / a length 2\n  content-length: 2\ndata hi\n1 end\n");
}

Test(h2_exchange, interim_responses_come_before_the_final_one)
{
	get();
	talk();

	cr_assert_eq(respond("HTTP/1.1 103 Early\r\nLink: </a>\r\n\r\n", false), 0);
	cr_assert_eq(respond("HTTP/1.1 204 No\r\n\r\n", false), 0);
	cr_assert_eq(respond("HTTP/1.1 204 No\r\n\r\n", false), -1);
	talk();

	cr_assert_str_eq(client->said,
		"1 103 nothing\n  link: </a>\n1 204 nothing\n1 end\n1 closed\n");
}

Test(h2_exchange, fields_of_one_connection_do_not_go_on)
{
	get();
	talk();

	cr_assert_eq(
		respond("HTTP/1.1 200 OK\r\nConnection: x-hop, close\r\nX-Hop: 1\r\n"
			"Keep-Alive: 1\r\nTransfer-Encoding: chunked\r\n"
			"Upgrade: h2c\r\nProxy-Connection: 1\r\nX-End: 1\r\n\r\n",
			true),
		0);
	talk();

	cr_assert_str_eq(client->said, "1 200 open\n  x-end: 1\n1 end\n1 closed\n");
}

Test(h2_exchange, what_answers_a_head_tells_the_length_and_has_no_body)
{
	request("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", false);
	talk();

	cr_assert_eq(respond("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
			     false),
		0);
	talk();

	cr_assert_str_eq(
		client->said, "1 304 nothing\n  content-length: 9\n1 end\n1 closed\n");
}

Test(h2_exchange, an_answer_of_our_own_is_sent_whole)
{
	struct http_own own = { .status = 503, .text = "no", .retry_after_s = 2 };

	get();
	talk();
	cr_assert_eq(h2_answer(server->h2, 1, &own), 0);
	cr_assert_eq(h2_answer(server->h2, 1, &own), -1);
	h2_forget(server->h2, 1);
	talk();

	cr_assert_str_eq(client->said,
		"1 503 length 28\n  content-type: text/plain\n"
		"  cache-control: no-store\n  retry-after: 2\n  content-length: 28\n"
		"data 503 Service Unavailable: no\n\n1 end\n1 closed\n");
}

Test(h2_exchange, an_answer_of_our_own_to_a_head_has_no_body)
{
	struct http_own own = { .status = 404 };

	request("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", false);
	talk();
	client->quiet = true;
	cr_assert_eq(h2_answer(server->h2, 1, &own), 0);
	talk();

	cr_assert_eq(client->owner[0].got, 0);
	cr_assert_eq(h2_open_streams(client->h2), 0);
}

Test(h2_exchange, continue_is_said_by_a_line_alone)
{
	struct owner *o =
		request("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
			"Content-Length: 1\r\n\r\n",
			true);
	struct http_own own = { .status = 100 };

	o->more = true;
	talk();
	cr_assert_eq(h2_answer(server->h2, 1, &own), 0);
	talk();

	cr_assert_str_eq(server->said, "1 POST / a length 1 continue\n"
				       "  expect: 100-continue\n  content-length: 1\n");
	cr_assert_str_eq(client->said, "1 100 nothing\n");
}

Test(h2_exchange, trailers_come_behind_a_body_both_ways)
{
	struct owner *o = request("POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n"
				  "Transfer-Encoding: chunked\r\n\r\n",
		true);
	has_to_send(o, "q", 1);
	cr_assert_eq(h2_trailers(client->h2, 1, SPAN("X-Sum: 1\r\nHost: evil")), 0);
	talk();
	cr_assert_str_eq(server->said, "1 POST / a open te\n  (te: trailers)\ndata q\n"
				       "1 trailers\n  x-sum: 1\n1 end\n");

	cr_assert_eq(respond("HTTP/1.1 200 OK\r\n\r\n", true), 0);
	cr_assert_eq(h2_trailers(server->h2, 1, SPAN("grpc-status: 0")), 0);
	talk();

	cr_assert_str_eq(client->said,
		"1 200 open\n1 trailers\n  grpc-status: 0\n1 end\n1 closed\n");
}

Test(h2_exchange, trailers_that_may_not_come_late_leave_an_ordinary_end)
{
	struct owner *o = request(
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
		true);
	has_to_send(o, "q", 1);
	cr_assert_eq(
		h2_trailers(client->h2, 1, SPAN("Content-Length: 7\r\nbad name: 1")),
		0);

	talk();

	cr_assert_str_eq(server->said, "1 POST / a open\ndata q\n1 end\n");
}

Test(h2_exchange, a_reset_is_told_to_the_other_side_only)
{
	get();
	talk();
	hush();

	h2_reset(client->h2, 1, H2_CANCEL);
	h2_reset(client->h2, 1, H2_CANCEL);
	talk();

	cr_assert_str_eq(client->said, "");
	cr_assert_str_eq(server->said, "1 reset 8\n");
	cr_assert_eq(respond("HTTP/1.1 200 OK\r\n\r\n", false), -1);
}

Test(h2_exchange, a_request_can_be_taken_back_before_it_was_sent)
{
	struct owner *first = get(), *second = get();

	h2_reset(client->h2, first->stream, H2_CANCEL);
	talk();

	cr_assert_str_eq(client->said, "");
	cr_assert_eq(second->stream, 3);
	cr_assert_str_eq(server->said, "3 GET /x a nothing\n3 end\n");
	cr_assert_eq(h2_open_streams(client->h2), 1);
}

Test(h2_exchange, a_forgotten_request_is_reset)
{
	get();
	talk();
	hush();

	h2_forget(client->h2, 1);
	h2_forget(client->h2, 1);
	h2_consumed(client->h2, 1, 10);
	h2_resume(client->h2, 1);
	talk();

	cr_assert_str_eq(server->said, "1 reset 8\n");
}

Test(h2_exchange, an_upload_that_nobody_needs_ends_without_blame_when_all_was_answered)
{
	struct owner *o = request(
		"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
		true);
	o->more = true;
	talk();

	cr_assert_eq(respond("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", false), 0);
	h2_forget(server->h2, 1);
	talk();

	cr_assert_str_eq(client->said,
		"1 403 length 0\n  content-length: 0\n1 end\n1 reset 0\n");
	cr_assert_eq(h2_open_streams(server->h2), 0);
}

Test(h2_exchange, a_stream_forgotten_in_the_middle_of_its_response_is_broken_off)
{
	get();
	talk();
	has_to_send(&server->owner[0], "part", 4);
	server->owner[0].more = true;
	cr_assert_eq(respond("HTTP/1.1 200 OK\r\n\r\n", true), 0);
	talk();

	h2_forget(server->h2, 1);
	talk();

	cr_assert_str_eq(client->said, "1 200 open\ndata part\n1 reset 2\n");
}

Test(h2_exchange, a_refused_request_may_be_repeated)
{
	server->refuses = true;

	get();
	talk();

	cr_assert_str_eq(client->said, "1 reset 7\n");
}

static void answer_at_once(struct side *side, struct owner *o)
{
	struct parsed p;

	cr_assert_eq(h2_respond(side->h2, o->stream,
			     parse(&p, "HTTP/1.1 204 No\r\n\r\n", true), false, NULL),
		0);
}

static void reset_at_once(struct side *side, struct owner *o)
{
	h2_reset(side->h2, o->stream, H2_INTERNAL_ERROR);
}

Test(h2_exchange, a_request_can_be_answered_in_its_event)
{
	server->at_request = answer_at_once;

	get();
	talk();

	cr_assert_str_eq(client->said, "1 204 nothing\n1 end\n1 closed\n");
}

Test(h2_exchange, a_request_can_be_reset_in_its_event)
{
	server->at_request = reset_at_once;

	get();
	talk();

	cr_assert_str_eq(server->said, "1 GET /x a nothing\n");
	cr_assert_str_eq(client->said, "1 reset 2\n");
}

Test(h2_exchange, room_is_what_the_peer_allows)
{
	talk();
	cr_assert_eq(h2_room(client->h2), STREAMS_MAX);

	get();
	talk();

	cr_assert_eq(h2_room(client->h2), STREAMS_MAX - 1);
}

static int respond_with_field_of(size_t n)
{
	static char text[400000];
	struct http_field field = { .name = 0, .name_n = 1, .value = 1 };
	struct http_head head = {
		.base = text, .fields = &field, .n_fields = 1, .status = 200
	};

	memset(text, 'x', sizeof text);
	field.value_n = (uint32_t)n;
	return h2_respond(server->h2, 1, &head, true, NULL);
}

Test(h2_exchange, a_large_head_is_sent)
{
	get();
	talk();
	client->quiet = true;
	cr_assert_eq(respond_with_field_of(7000), 0);
	talk();

	cr_assert_eq(client->said_n, 0);
	cr_assert_eq(h2_open_streams(client->h2), 0);
}

Test(h2_exchange, a_head_that_is_too_large_to_be_sent_resets_its_stream)
{
	get();
	talk();
	hush();
	cr_assert_eq(respond_with_field_of(300000), 0);
	talk();

	cr_assert_str_eq(client->said, "1 reset 2\n");
	cr_assert_str_eq(server->said, "1 reset 2\n");
}

/* --- going away ----------------------------------------------------------- */

Test(h2_exchange, a_server_that_goes_away_takes_what_is_on_its_way)
{
	get();
	talk();
	get();
	hush();

	h2_goaway(server->h2);
	talk();

	cr_assert_str_eq(client->said, "goaway\ngoaway\n");
	cr_assert_str_eq(server->said, "3 GET /x a nothing\n3 end\n");
	cr_assert_eq(h2_room(client->h2), 0);
	cr_assert_not(h2_is_over(server->h2));

	for (int32_t id = 1; id <= 3; id += 2) {
		struct http_own own = { .status = 404 };
		cr_assert_eq(h2_answer(server->h2, id, &own), 0);
	}
	talk();
	cr_assert(h2_is_over(server->h2));
	cr_assert(h2_is_over(client->h2));
}

Test(h2_exchange, what_a_goaway_does_not_cover_may_be_repeated)
{
	talk();
	h2_goaway(server->h2);
	h2_goaway(server->h2);
	cr_assert(h2_write(server->h2, &server->out, BUF_MEDIUM));
	get();
	carry(client, server, BUF_MEDIUM);

	talk();

	cr_assert_str_eq(server->said, "");
	cr_assert_str_eq(client->said, "goaway\ngoaway\n1 reset 7\n");
}

Test(h2_exchange, a_client_that_goes_away_finishes_its_requests)
{
	get();
	talk();
	h2_goaway(client->h2);
	cr_assert_eq(h2_room(client->h2), 0);
	cr_assert_lt(get()->stream, 0);
	talk();
	cr_assert_not(h2_is_over(client->h2));

	cr_assert_eq(respond("HTTP/1.1 204 No\r\n\r\n", false), 0);
	talk();

	cr_assert(h2_is_over(client->h2));
	cr_assert(h2_is_over(server->h2));
}

/* --- WebSocket ------------------------------------------------------------ */

static struct owner *websocket(void)
{
	struct parsed p;
	struct owner *o = new_owner(client, 0);
	struct h2_request r = {
		.head = parse(&p,
			"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n"
			"Upgrade: websocket\r\nSec-WebSocket-Key: x\r\n"
			"Sec-WebSocket-Version: 13\r\n\r\n",
			false),
		.websocket = true,
		.owner = o,
	};

	cr_assert(p.head.tunnel);
	o->more = true;
	o->stream = h2_submit(client->h2, &r);
	return o;
}

Test(h2_exchange, a_websocket_is_a_get_that_asks_for_a_tunnel)
{
	cr_assert_not(h2_peer_is_known(client->h2));
	talk();
	cr_assert(h2_peer_is_known(client->h2));
	cr_assert(h2_peer_allows_websocket(client->h2));

	websocket();
	talk();

	cr_assert_str_eq(server->said,
		"1 GET /ws a nothing tunnel\n  sec-websocket-version: 13\n");
}

Test(h2_exchange, a_tunnel_carries_bytes_both_ways_until_it_is_closed)
{
	struct owner *o = websocket();
	talk();
	hush();

	has_to_send(o, "ping", 4);
	h2_resume(client->h2, 1);
	has_to_send(&server->owner[0], "pong", 4);
	cr_assert_eq(
		respond("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
			"Connection: upgrade\r\nSec-WebSocket-Accept: y\r\n\r\n",
			true),
		0);
	talk();
	o->more = false;
	h2_resume(client->h2, 1);
	talk();

	cr_assert_str_eq(server->said, "data ping\n1 end\n1 closed\n");
	cr_assert_str_eq(client->said, "1 200 nothing\ndata pong\n1 end\n1 closed\n");
}
