/*
 * The frame rules of RFC 9113, 4 to 6, a case each: what a peer sends after its preface,
 * and with what it is answered. nghttp2 enforces most of them; here it is seen that it
 * does, as it is set up by us.
 */
#include "h2_script.h"

#include <criterion/parameterized.h>

enum {
	NO_ERROR,
	PROTOCOL_ERROR,
	INTERNAL_ERROR,
	FLOW_CONTROL_ERROR,
	SETTINGS_TIMEOUT,
	STREAM_CLOSED,
	FRAME_SIZE_ERROR,
	REFUSED,
	CANCEL,
	COMPRESSION_ERROR
};

TestSuite(h2_frames, .init = setup, .fini = teardown);

static struct script s;

static void frame(int type, int flags, uint32_t stream, struct span payload)
{
	put_frame(&s, type, flags, stream, payload);
}

static const char zeros[20000];

static void zero_frame(int type, int flags, uint32_t stream, size_t n)
{
	put_frame(&s, type, flags, stream, (struct span){ .p = zeros, .n = n });
}

static void open_post(void)
{
	put_headers(&s, 1, 0, SPAN(POST_LINES));
}

static void open_get(void)
{
	put_get(&s, 1);
}

/* Of a request's block, in two. */
static void begin_block(uint32_t stream)
{
	frame(HEADERS, END_STREAM, stream, SPAN("\x82\x87\x84"));
}

/* --- DATA ----------------------------------------------------------------- */

static void data_on_stream_0(void)
{
	frame(DATA, 0, 0, SPAN("x"));
}

static void data_behind_the_end(void)
{
	open_get();
	frame(DATA, 0, 1, SPAN("x"));
}

static void data_padded_beyond_its_end(void)
{
	open_post();
	frame(DATA, PADDED, 1, SPAN("\x05xyz"));
}

static void data_padded_without_a_length(void)
{
	open_post();
	frame(DATA, PADDED, 1, SPAN(""));
}

static void data_beyond_the_length(void)
{
	put_headers(&s, 1, 0, SPAN(POST_LINES "\ncontent-length: 1"));
	frame(DATA, 0, 1, SPAN("xy"));
}

static void data_short_of_the_length(void)
{
	put_headers(&s, 1, 0, SPAN(POST_LINES "\ncontent-length: 2"));
	frame(DATA, END_STREAM, 1, SPAN("x"));
}

static void data_beyond_the_window(void)
{
	open_post();
	for (int i = 0; i < 5; i++)
		zero_frame(DATA, 0, 1, 16384);
}

/* --- HEADERS and CONTINUATION --------------------------------------------- */

static void headers_on_stream_0(void)
{
	put_get(&s, 0);
}

static void headers_on_an_even_stream(void)
{
	put_get(&s, 2);
}

static void headers_on_a_lower_stream(void)
{
	put_get(&s, 5);
	put_get(&s, 3);
}

static void headers_behind_the_end(void)
{
	open_get();
	open_get();
}

static void answer_all(void)
{
	struct http_own own = { .status = 404 };

	server->answers = true;
	server->quiet = true;
	put_get(&s, 1);
	put_headers(&s, 3, END_STREAM, SPAN(GET_LINES));
	tell(server, &s);
	cr_assert_eq(h2_answer(server->h2, 1, &own), 0);
	cr_assert_eq(h2_answer(server->h2, 3, &own), 0);
	cr_assert_str_eq(errors_of(server), "");
}

static void headers_on_a_closed_stream(void)
{
	answer_all();
	put_get(&s, 1);
}

static void data_on_a_closed_stream(void)
{
	answer_all();
	frame(DATA, 0, 1, SPAN("x"));
}

static void headers_on_a_stream_that_the_peer_reset(void)
{
	open_post();
	put_number_frame(&s, RST_STREAM, 1, CANCEL);
	put_get(&s, 1);
}

static void data_on_a_stream_that_the_peer_reset(void)
{
	open_post();
	put_number_frame(&s, RST_STREAM, 1, CANCEL);
	frame(DATA, 0, 1, SPAN("x"));
}

static void a_block_cut_by_data(void)
{
	begin_block(1);
	frame(DATA, 0, 1, SPAN("x"));
}

static void a_block_cut_by_headers(void)
{
	begin_block(1);
	put_get(&s, 3);
}

static void a_block_cut_by_an_unknown_frame(void)
{
	begin_block(1);
	frame(0xee, 0, 1, SPAN("x"));
}

static void a_block_continued_on_another_stream(void)
{
	begin_block(1);
	frame(CONTINUATION, END_HEADERS, 3, SPAN("\x41\x01\x61"));
}

static void a_continuation_of_what_has_ended(void)
{
	open_get();
	frame(CONTINUATION, END_HEADERS, 1, SPAN("\x41\x01\x61"));
}

static void a_block_in_two_frames(void)
{
	begin_block(1);
	frame(CONTINUATION, END_HEADERS, 1, SPAN("\x41\x01\x61"));
}

/* --- the small ones ------------------------------------------------------- */

static void priority_means_nothing(void)
{
	zero_frame(PRIORITY, 0, 1, 5);
	open_get();
	zero_frame(PRIORITY, 0, 1, 5);
}

static void reset_on_stream_0(void)
{
	put_number_frame(&s, RST_STREAM, 0, CANCEL);
}

static void reset_of_an_idle_stream(void)
{
	put_number_frame(&s, RST_STREAM, 1, CANCEL);
}

static void reset_of_another_size(void)
{
	open_get();
	zero_frame(RST_STREAM, 0, 1, 3);
}

static void push_neither_on_nor_off(void)
{
	put_setting(&s, 2, 2);
}

static void a_window_that_does_not_exist(void)
{
	put_setting(&s, 4, 0x80000000u);
}

static void frames_smaller_than_allowed(void)
{
	put_setting(&s, 5, 16383);
}

static void frames_larger_than_possible(void)
{
	put_setting(&s, 5, 1 << 24);
}

static void an_unknown_setting(void)
{
	put_setting(&s, 0xaaaa, 1);
}

static void settings_that_push_a_window_over(void)
{
	open_post();
	put_number_frame(&s, WINDOW_UPDATE, 1, 0x7fff0000u);
	put_setting(&s, 4, 0x7fffffffu);
}

static void an_update_of_0(void)
{
	put_number_frame(&s, WINDOW_UPDATE, 0, 0);
}

static void an_update_of_0_of_a_stream(void)
{
	open_post();
	put_number_frame(&s, WINDOW_UPDATE, 1, 0);
}

static void an_update_of_an_idle_stream(void)
{
	put_number_frame(&s, WINDOW_UPDATE, 1, 1);
}

static void updates_over_the_end(void)
{
	put_number_frame(&s, WINDOW_UPDATE, 0, 0x7fffffffu);
	put_number_frame(&s, WINDOW_UPDATE, 0, 0x7fffffffu);
}

static void updates_over_the_end_of_a_stream(void)
{
	open_post();
	put_number_frame(&s, WINDOW_UPDATE, 1, 0x7fffffffu);
}

static void a_frame_larger_than_announced(void)
{
	open_post();
	zero_frame(DATA, 0, 1, 16385);
}

static void an_unknown_frame(void)
{
	frame(0xee, 0xff, 0, SPAN("x"));
	open_get();
}

static void unknown_flags(void)
{
	frame(PING, 0xfe, 0, SPAN("12345678"));
	open_get();
}

static void a_stream_more_than_allowed(void)
{
	for (uint32_t i = 0; i <= STREAMS_MAX; i++)
		put_headers(&s, 2 * i + 1, 0, SPAN(POST_LINES));
}

struct rule {
	const char *name, *answer;
	void (*break_it)(void); /* or NULL, and it is one frame: */
	int type, flags;
	uint32_t stream;
	struct span payload;
};

#define RULE(rule, said)                                            \
	{                                                           \
		.name = #rule, .answer = (said), .break_it = (rule) \
	}
#define CONNECTION(rule, code) RULE(rule, "goaway " #code)
#define STREAM(rule, code) RULE(rule, "rst 1 " #code)
#define FINE(rule) RULE(rule, "")
#define FRAME(rule, said, t, f, id, text)                                    \
	{                                                                    \
		.name = (rule), .answer = (said), .type = (t), .flags = (f), \
		.stream = (id), .payload = {                                 \
			.p = "" text,                                        \
			.n = sizeof(text) - 1                                \
		}                                                            \
	}
#define ZEROS(rule, said, t, f, id, bytes)                                   \
	{                                                                    \
		.name = (rule), .answer = (said), .type = (t), .flags = (f), \
		.stream = (id), .payload = {                                 \
			.p = zeros,                                          \
			.n = (bytes)                                         \
		}                                                            \
	}

static const struct rule rules[] = {
	CONNECTION(data_on_stream_0, 1),
	FRAME("data on an idle stream", "goaway 1", DATA, 0, 1, "x"),
	CONNECTION(data_behind_the_end, 5),
	CONNECTION(data_padded_beyond_its_end, 1),
	CONNECTION(data_padded_without_a_length, 1),
	STREAM(data_beyond_the_length, 1),
	STREAM(data_short_of_the_length, 1),
	STREAM(data_beyond_the_window, 3),
	CONNECTION(headers_on_stream_0, 1),
	CONNECTION(headers_on_an_even_stream, 1),
	CONNECTION(headers_on_a_lower_stream, 1),
	CONNECTION(headers_behind_the_end, 5),
	CONNECTION(headers_on_a_closed_stream, 5),
	CONNECTION(data_on_a_closed_stream, 5),
	CONNECTION(headers_on_a_stream_that_the_peer_reset, 5),
	CONNECTION(data_on_a_stream_that_the_peer_reset, 5),
	FRAME("headers depending on themselves", "goaway 1", HEADERS,
		END_STREAM | END_HEADERS | WITH_PRIORITY, 1,
		"\x00\x00\x00\x01\x10\x82\x87\x84\x41\x01\x61"),
	FRAME("headers too short for a priority", "goaway 6", HEADERS,
		END_STREAM | END_HEADERS | WITH_PRIORITY, 1, "\x00\x00"),
	FRAME("headers padded beyond their end", "goaway 1", HEADERS,
		END_STREAM | END_HEADERS | PADDED, 1, "\x09\x82\x87\x84"),
	CONNECTION(a_block_cut_by_data, 1),
	CONNECTION(a_block_cut_by_headers, 1),
	CONNECTION(a_block_cut_by_an_unknown_frame, 1),
	CONNECTION(a_block_continued_on_another_stream, 1),
	FRAME("a continuation of nothing", "goaway 1", CONTINUATION, END_HEADERS, 1,
		"\x41\x01\x61"),
	CONNECTION(a_continuation_of_what_has_ended, 1),
	FINE(a_block_in_two_frames),
	FRAME("an index that does not exist", "goaway 9", HEADERS,
		END_STREAM | END_HEADERS, 1, "\x82\x87\x84\xff\x7f"),
	FRAME("the index 0", "goaway 9", HEADERS, END_STREAM | END_HEADERS, 1, "\x80"),
	FRAME("a block that ends in a field", "goaway 9", HEADERS,
		END_STREAM | END_HEADERS, 1, "\x82\x87\x84\x41\x09\x61"),
	FRAME("a table larger than announced", "goaway 9", HEADERS,
		END_STREAM | END_HEADERS, 1, "\x3f\xff\xff\x03\x82\x87\x84"),
	FRAME("a table sized behind a field", "goaway 9", HEADERS,
		END_STREAM | END_HEADERS, 1, "\x82\x87\x84\x20"),
	FRAME("a code padded with zeros", "goaway 9", HEADERS, END_STREAM | END_HEADERS,
		1, "\x82\x87\x84\x41\x81\x18"),
	FRAME("a code that holds its end", "goaway 9", HEADERS,
		END_STREAM | END_HEADERS, 1, "\x82\x87\x84\x41\x84\xff\xff\xff\xff"),
	ZEROS("priority on stream 0", "goaway 1", PRIORITY, 0, 0, 5),
	ZEROS("priority of another size", "goaway 6", PRIORITY, 0, 1, 4),
	FINE(priority_means_nothing),
	CONNECTION(reset_on_stream_0, 1),
	CONNECTION(reset_of_an_idle_stream, 1),
	CONNECTION(reset_of_another_size, 6),
	ZEROS("settings on a stream", "goaway 1", SETTINGS, 0, 1, 0),
	ZEROS("settings of another size", "goaway 6", SETTINGS, 0, 0, 3),
	ZEROS("settings acknowledged with a payload", "goaway 6", SETTINGS, ACK, 0, 6),
	CONNECTION(push_neither_on_nor_off, 1),
	CONNECTION(a_window_that_does_not_exist, 3),
	CONNECTION(frames_smaller_than_allowed, 1),
	CONNECTION(frames_larger_than_possible, 1),
	FINE(an_unknown_setting),
	STREAM(settings_that_push_a_window_over, 3),
	FRAME("a push from a client", "goaway 1", PUSH_PROMISE, END_HEADERS, 1,
		"\x00\x00\x00\x02\x82\x87\x84"),
	ZEROS("ping on a stream", "goaway 1", PING, 0, 1, 8),
	ZEROS("ping of another size", "goaway 6", PING, 0, 0, 6),
	ZEROS("goaway on a stream", "goaway 1", GOAWAY, 0, 1, 8),
	ZEROS("goaway too short", "goaway 6", GOAWAY, 0, 0, 7),
	CONNECTION(an_update_of_0, 1),
	CONNECTION(an_update_of_0_of_a_stream, 1),
	CONNECTION(an_update_of_an_idle_stream, 1),
	ZEROS("an update of another size", "goaway 6", WINDOW_UPDATE, 0, 0, 3),
	CONNECTION(updates_over_the_end, 3),
	STREAM(updates_over_the_end_of_a_stream, 3),
	CONNECTION(a_frame_larger_than_announced, 6),
	FINE(an_unknown_frame),
	FINE(unknown_flags),
	CONNECTION(a_stream_more_than_allowed, 1),
};

static const size_t n_rules = sizeof rules / sizeof rules[0];

static void break_rule(const struct rule *rule)
{
	if (rule->break_it != NULL)
		rule->break_it();
	else
		frame(rule->type, rule->flags, rule->stream, rule->payload);
}

ParameterizedTestParameters(h2_frames, a_rule_that_is_broken)
{
	static size_t index[sizeof rules / sizeof rules[0]];

	for (size_t i = 0; i < n_rules; i++)
		index[i] = i;
	return cr_make_param_array(size_t, index, n_rules);
}

ParameterizedTest(size_t *index, h2_frames, a_rule_that_is_broken)
{
	const struct rule *rule = &rules[*index];

	put_preface(&s);
	frame(SETTINGS, ACK, 0, SPAN(""));
	cr_assert(h2_write(server->h2, &server->out, BUF_MEDIUM));
	server->hoards = server->quiet = true;
	break_rule(rule);
	tell(server, &s);

	const char *answer = errors_of(server);
	cr_assert_str_eq(answer, rule->answer, "%s: %s", rule->name, answer);
	cr_assert_eq(h2_is_over(server->h2), rule->answer[0] == 'g', "%s", rule->name);
}

/* The same, a byte at a time: the heads of frames are read wherever they are cut. */
ParameterizedTestParameters(h2_frames, a_rule_that_is_broken_bytewise)
{
	static size_t index[sizeof rules / sizeof rules[0]];

	for (size_t i = 0; i < n_rules; i++)
		index[i] = i;
	return cr_make_param_array(size_t, index, n_rules);
}

ParameterizedTest(size_t *index, h2_frames, a_rule_that_is_broken_bytewise)
{
	const struct rule *rule = &rules[*index];
	int rv = 0;

	put_preface(&s);
	frame(SETTINGS, ACK, 0, SPAN(""));
	cr_assert(h2_write(server->h2, &server->out, BUF_MEDIUM));
	server->hoards = server->quiet = true;
	break_rule(rule);
	for (size_t i = 0; i < s.n && rv == 0; i++)
		rv = h2_receive(server->h2, (struct span){ .p = s.bytes + i, .n = 1 });

	const char *answer = errors_of(server);
	cr_assert_str_eq(answer, rule->answer, "%s: %s", rule->name, answer);
}
