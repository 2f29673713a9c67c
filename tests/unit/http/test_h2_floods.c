/* What only an attacker sends in numbers ends the session, soon and for little. */
#include "h2_script.h"

static struct script s;

static void start(void)
{
	setup();
	server->quiet = true;
	put_preface(&s);
	put_frame(&s, SETTINGS, ACK, 0, SPAN(""));
	cr_assert(h2_write(server->h2, &server->out, BUF_MEDIUM));
	tell(server, &s);
	errors_of(server);
}

TestSuite(h2_floods, .init = start, .fini = teardown);

static uint32_t next_stream = 1;

static void reset_at_once(void)
{
	put_get(&s, next_stream);
	put_number_frame(&s, RST_STREAM, next_stream, 8);
	next_stream += 2;
}

static void ping(void)
{
	put_frame(&s, PING, 0, 0, SPAN("12345678"));
}

static void settings(void)
{
	put_setting(&s, 4, 65535);
}

static void priority(void)
{
	put_frame(&s, PRIORITY, 0, 1, SPAN("\0\0\0\0\0"));
}

static void update(void)
{
	put_number_frame(&s, WINDOW_UPDATE, 0, 1);
}

static void unknown(void)
{
	put_frame(&s, 0xee, 0, 0, SPAN(""));
}

static void open_post(void)
{
	put_headers(&s, next_stream, 0, SPAN(POST_LINES));
}

static void empty_data(void)
{
	put_frame(&s, DATA, 0, 1, SPAN(""));
}

static void padding_alone(void)
{
	put_frame(&s, DATA, PADDED, 1, SPAN("\x03\0\0\0"));
}

/* The client makes the server reset them (CVE-2025-8671). */
static void made_to_reset(void)
{
	put_headers(&s, next_stream, 0, SPAN(POST_LINES));
	put_number_frame(&s, WINDOW_UPDATE, next_stream, 0x7fffffff);
	next_stream += 2;
}

static void malformed(void)
{
	put_headers(&s, next_stream, END_STREAM, SPAN(GET_LINES "\nX: y"));
	next_stream += 2;
}

/* The peer reads our answers as they come. Returns how many it took. */
static int flood(void (*send)(void), int most)
{
	for (int i = 0; i < most; i++) {
		send();
		if (tell(server, &s) != 0)
			return i;
		errors_of(server);
		if (h2_is_over(server->h2))
			return i;
	}
	return most;
}

static void assert_cut_off(enum h2_flood kind, int sent, int at_most)
{
	cr_assert_lt(sent, at_most);
	cr_assert_eq(server->flood, kind, "flood %d", (int)server->flood);
	errors_of(server);
	cr_assert(h2_is_over(server->h2));
}

Test(h2_floods, streams_that_are_reset_at_once)
{
	assert_cut_off(H2_FLOOD_RESETS, flood(reset_at_once, 1000), 300);
}

Test(h2_floods, streams_that_we_are_made_to_reset)
{
	assert_cut_off(H2_FLOOD_RESETS, flood(made_to_reset, 1000), 300);
}

Test(h2_floods, requests_that_are_malformed)
{
	assert_cut_off(H2_FLOOD_RESETS, flood(malformed, 1000), 300);
}

Test(h2_floods, pings)
{
	assert_cut_off(H2_FLOOD_CONTROL, flood(ping, 5000), 1500);
}

Test(h2_floods, settings_again_and_again)
{
	assert_cut_off(H2_FLOOD_CONTROL, flood(settings, 5000), 1500);
}

Test(h2_floods, priorities)
{
	assert_cut_off(H2_FLOOD_CONTROL, flood(priority, 5000), 1500);
}

Test(h2_floods, window_updates_without_anything_to_send)
{
	assert_cut_off(H2_FLOOD_CONTROL, flood(update, 5000), 1500);
}

Test(h2_floods, unknown_frames)
{
	assert_cut_off(H2_FLOOD_CONTROL, flood(unknown, 5000), 1500);
}

Test(h2_floods, empty_data_frames)
{
	open_post();

	assert_cut_off(H2_FLOOD_EMPTY, flood(empty_data, 5000), 200);
}

Test(h2_floods, data_frames_of_padding)
{
	open_post();

	assert_cut_off(H2_FLOOD_EMPTY, flood(padding_alone, 5000), 200);
}

Test(h2_floods, a_header_block_without_end)
{
	put_frame(&s, HEADERS, END_STREAM, 1, SPAN("\x82"));
	for (int i = 0; i < 100; i++)
		put_frame(&s, CONTINUATION, 0, 1, SPAN("\0\1x\1y"));

	cr_assert_eq(tell(server, &s), -1);
	assert_cut_off(H2_FLOOD_HEADERS, 0, 1);
	cr_assert_str_eq(server->said, "flood 1\n");
}

/* One large field in the table, then a byte each to mean it again. */
Test(h2_floods, a_bomb_in_a_header_block)
{
	static char many[15000], value[4000];
	static struct script block;

	memset(value, 'v', sizeof value);
	block.n = 0;
	put_number(&block, 0x40, 1);
	put_length(&block, 1);
	put_bytes(&block, "x", 1);
	put_length(&block, sizeof value);
	put_bytes(&block, value, sizeof value);
	memset(many, 0xbe, sizeof many);
	put_frame(&s, HEADERS, END_STREAM, 1,
		(struct span){ .p = block.bytes, .n = block.n });
	for (int i = 0; i < 7; i++)
		put_frame(&s, CONTINUATION, 0, 1,
			(struct span){ .p = many, .n = sizeof many });

	cr_assert_eq(tell(server, &s), -1);
	assert_cut_off(H2_FLOOD_HEADERS, 0, 1);
}

/* It never reads: nothing that we would say may pile up. */
static int flood_unread(void (*send)(void), int most)
{
	for (int i = 0; i < most; i++) {
		send();
		if (tell(server, &s) != 0)
			return i;
	}
	return most;
}

Test(h2_floods, pings_whose_answers_are_not_read)
{
	assert_cut_off(H2_FLOOD_CONTROL, flood_unread(ping, 5000), 300);
}

Test(h2_floods, requests_whose_refusals_are_not_read)
{
	flood_unread(malformed, 5000);

	cr_assert(h2_write(server->h2, &server->out, BUF_LARGE));
	cr_assert_lt(buf_len(&server->out), 3000);
	cr_assert(h2_is_over(server->h2));
}

/* --- what is no flood ----------------------------------------------------- */

static void respond_to_newest(void)
{
	struct owner *o = &server->owner[(server->n_owners - 1) % OWNERS_MAX];
	struct http_own own = { .status = 404 };

	cr_assert_eq(h2_answer(server->h2, o->stream, &own), 0);
}

static void cancel_as_often_as_finish(void)
{
	reset_at_once();
	put_get(&s, next_stream);
	next_stream += 2;
	cr_assert_eq(tell(server, &s), 0);
	respond_to_newest();
}

Test(h2_floods, whoever_finishes_as_much_as_it_cancels_goes_on)
{
	cr_assert_eq(flood(cancel_as_often_as_finish, 2000), 2000);
}

static char body[16000];

Test(h2_floods, updates_for_what_was_sent_are_no_flood)
{
	put_get(&s, 1);
	tell(server, &s);
	struct parsed p;
	struct http_head *head = parse(&p, "HTTP/1.1 200 OK\r\n\r\n", true);
	cr_assert_eq(h2_respond(server->h2, 1, head, true, NULL), 0);
	struct owner *o = &server->owner[0];
	o->more = true;

	for (int i = 0; i < 5000; i++) {
		o->sent = 0;
		has_to_send(o, body, sizeof body);
		h2_resume(server->h2, 1);
		errors_of(server);
		cr_assert_eq(o->sent, sizeof body);
		put_number_frame(&s, WINDOW_UPDATE, 0, sizeof body);
		put_number_frame(&s, WINDOW_UPDATE, 1, sizeof body);
		cr_assert_eq(tell(server, &s), 0, "after %d", i);
	}
}

Test(h2_floods, a_server_that_resets_is_no_flood_to_its_client)
{
	teardown();
	setup();
	server->refuses = server->quiet = client->quiet = true;
	for (int i = 0; i < 1000; i++) {
		get();
		talk();
		client->said_n = 0;
	}

	cr_assert_eq(client->received, 0);
}
