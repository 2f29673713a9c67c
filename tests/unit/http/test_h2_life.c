/* How sessions begin, break, and what comes late. */
#include "h2_script.h"

TestSuite(h2_life, .init = setup, .fini = teardown);

static struct script s;

Test(h2_life, another_preface_is_refused_at_once)
{
	put_bytes(&s, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27);

	cr_assert_eq(tell(server, &s), -1);
	cr_assert_str_eq(errors_of(server), "goaway 1");
	cr_assert(h2_is_over(server->h2));
}

Test(h2_life, the_first_frame_is_settings)
{
	put_bytes(&s, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
	put_frame(&s, PING, 0, 0, SPAN("12345678"));
	tell(server, &s);

	cr_assert_str_eq(errors_of(server), "goaway 1");
	cr_assert(h2_is_over(server->h2));
}

Test(h2_life, a_server_that_does_not_begin_with_settings_is_left)
{
	put_frame(&s, PING, 0, 0, SPAN("12345678"));
	tell(client, &s);

	cr_assert_str_eq(errors_of(client), "goaway 1");
}

Test(h2_life, a_server_may_not_push)
{
	get();
	put_frame(&s, SETTINGS, 0, 0, SPAN(""));
	cr_assert(h2_write(client->h2, &client->out, BUF_MEDIUM));
	put_frame(&s, SETTINGS, ACK, 0, SPAN(""));
	put_frame(
		&s, PUSH_PROMISE, END_HEADERS, 1, SPAN("\x00\x00\x00\x02\x82\x87\x84"));
	tell(client, &s);

	cr_assert_str_eq(errors_of(client), "goaway 1");
	cr_assert_str_eq(client->said, "1 reset 1\n");
}

Test(h2_life, owners_hear_that_their_session_broke)
{
	put_preface(&s);
	put_headers(&s, 1, 0, SPAN(POST_LINES));
	tell(server, &s);
	hush();
	put_frame(&s, DATA, 0, 0, SPAN("x"));
	tell(server, &s);
	errors_of(server);

	cr_assert_str_eq(server->said, "1 reset 1\n");
	cr_assert_eq(tell(server, &s), -1);
}

Test(h2_life, frames_of_streams_that_are_over_are_harmless)
{
	put_preface(&s);
	put_headers(&s, 1, 0, SPAN(POST_LINES));
	tell(server, &s);
	h2_reset(server->h2, 1, H2_CANCEL);
	errors_of(server);
	hush();

	put_frame(&s, DATA, 0, 1, SPAN("late"));
	put_number_frame(&s, WINDOW_UPDATE, 1, 10);
	put_headers(&s, 1, END_STREAM, SPAN("x: y"));
	put_number_frame(&s, RST_STREAM, 1, H2_CANCEL);
	cr_assert_eq(tell(server, &s), 0);

	cr_assert_str_eq(errors_of(server), "");
	cr_assert_str_eq(server->said, "");
}
