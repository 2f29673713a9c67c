/* Windows: nobody sends more than the other side can take, and nobody waits for others. */
#include "h2_side.h"

TestSuite(h2_flow, .init = setup, .fini = teardown);

static char big[200000];

Test(h2_flow, a_body_stops_at_the_window_until_it_is_passed_on)
{
	server->quiet = server->hoards = true;
	struct owner *o = request(
		"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n", true);
	has_to_send(o, big, sizeof big);
	talk();
	struct owner *up = &server->owner[0];
	cr_assert_eq(up->got, STREAM_WINDOW);

	while (up->unconsumed > 0) {
		h2_consumed(server->h2, up->stream, up->unconsumed);
		up->unconsumed = 0;
		talk();
	}

	cr_assert_eq(up->got, sizeof big);
}

Test(h2_flow, one_that_stalls_does_not_stall_its_neighbours)
{
	server->quiet = client->quiet = client->hoards = true;
	struct owner *slow = get(), *fast = get();
	talk();
	for (int32_t id = 1; id <= 3; id += 2) {
		struct parsed p;
		has_to_send(&server->owner[id / 2], big, sizeof big);
		cr_assert_eq(
			h2_respond(server->h2, id,
				parse(&p, "HTTP/1.1 200 OK\r\n\r\n", true), true, NULL),
			0);
	}

	do {
		h2_consumed(client->h2, fast->stream, fast->unconsumed);
		fast->unconsumed = 0;
		talk();
	} while (fast->unconsumed > 0);

	cr_assert_eq(slow->got, STREAM_WINDOW);
	cr_assert_eq(fast->got, sizeof big);
}

Test(h2_flow, streams_take_turns_in_sending)
{
	server->quiet = client->quiet = true;
	struct owner *one = get(), *two = get();
	talk();
	for (int32_t id = 1; id <= 3; id += 2) {
		struct parsed p;
		has_to_send(&server->owner[id / 2], big, 60000);
		cr_assert_eq(
			h2_respond(server->h2, id,
				parse(&p, "HTTP/1.1 200 OK\r\n\r\n", true), true, NULL),
			0);
	}

	carry(server, client, 40000);

	cr_assert_gt(one->got, 10000);
	cr_assert_gt(two->got, 10000);
}

Test(h2_flow, a_write_is_no_longer_than_it_was_asked_for)
{
	server->quiet = client->quiet = true;
	struct owner *o = get();
	talk();
	has_to_send(&server->owner[0], big, 60000);
	cr_assert_eq(respond("HTTP/1.1 200 OK\r\n\r\n", true), 0);

	size_t most = 0;
	bool any = true;
	while (any) {
		cr_assert(h2_write(server->h2, &server->out, 3000));
		if (buf_len(&server->out) > most)
			most = buf_len(&server->out);
		any = carry(server, client, 0);
	}

	cr_assert_leq(most, 3000);
	cr_assert_eq(o->got, 60000);
}

Test(h2_flow, what_a_dead_stream_had_not_passed_on_is_given_back_to_the_connection)
{
	server->quiet = server->hoards = true;
	for (int i = 0; i < 3 * CONNECTION_WINDOW / STREAM_WINDOW; i++) {
		struct owner *o = request("PUT / HTTP/1.1\r\nHost: "
					  "a\r\nTransfer-Encoding: chunked\r\n\r\n",
			true);
		has_to_send(o, big, sizeof big);
		talk();
		cr_assert_eq(server->owner[i].got, STREAM_WINDOW, "stream %d", i);
		h2_reset(server->h2, o->stream, H2_CANCEL);
		talk();
	}
}
