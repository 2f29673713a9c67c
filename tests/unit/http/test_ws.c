/* WebSocket frames as a proxy counts them in passing. */
#include "sluice/http/ws.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>

static struct ws_scan scan;

static void setup(void)
{
	scan = (struct ws_scan){ .left = 0 };
}

TestSuite(ws, .init = setup);

static unsigned passed(const void *bytes, size_t n)
{
	return ws_scan(&scan, (struct span){ .p = bytes, .n = n });
}

#define PASSED(text) passed("" text, sizeof(text) - 1)

Test(ws, a_message_of_one_frame_counts_when_it_has_ended)
{
	cr_expect_eq(PASSED("\x81\x05hell"), 0);
	cr_expect_eq(PASSED("o"), 1);
	cr_expect(ws_is_between(&scan));
}

Test(ws, a_message_without_bytes_counts)
{
	cr_expect_eq(PASSED("\x81\x00\x82\x80mask"), 2);
}

Test(ws, a_fragmented_message_counts_once_and_control_frames_in_it_never)
{
	cr_expect_eq(PASSED("\x01\x03one\x89\x01p\x00\x03two\x8a\x00"), 0);
	cr_expect_eq(PASSED("\x80\x05three"), 1);
}

Test(ws, lengths_of_16_and_64_bits_skip_so_many_bytes)
{
	static char payload[70000];

	PASSED("\x82\x7e\x01\x00");
	cr_expect_eq(passed(payload, 255), 0);
	cr_expect_eq(passed(payload, 1), 1);
	PASSED("\x82\xff\x00\x00\x00\x00\x00\x01\x00\x01mask");
	cr_expect_eq(passed(payload, 65536), 0);
	cr_expect_eq(passed(payload, 1), 1);
}

Test(ws, a_close_frame_is_seen_when_it_has_ended)
{
	PASSED("\x88\x82mask\x03");
	cr_expect_not(scan.closed);

	PASSED("\xe8");
	cr_expect(scan.closed);
}

Test(ws, however_bytes_are_cut_the_numbers_are_the_same)
{
	static const char bytes[] =
		"\x01\x03one\x89\x81maskp\x80\x03two\x82\x7e\x00\x04"
		"four\x81\x00";
	unsigned whole = PASSED("\x01\x03one\x89\x81maskp\x80\x03two\x82\x7e\x00\x04"
				"four\x81\x00");

	setup();
	unsigned singly = 0;
	for (size_t i = 0; i + 1 < sizeof(bytes); i++)
		singly += passed(bytes + i, 1);

	cr_expect_eq(whole, 3);
	cr_expect_eq(singly, 3);
}

Test(ws, a_scan_of_one_frame_stops_at_its_end)
{
	struct span two = SPAN("\x81\x02hi\x81\x02ho");
	unsigned messages = 0;

	size_t used = ws_scan_frame(&scan, two, &messages);

	cr_expect_eq(used, 4);
	cr_expect_eq(messages, 1);
	cr_expect(ws_is_between(&scan));
}

Test(ws, our_close_frame_is_a_close_frame_masked_or_not)
{
	static const uint8_t mask[] = { 1, 2, 3, 4 };
	char out[WS_CLOSE_MAX];

	cr_assert_eq(ws_close(out, WS_RESTART, NULL), 4);
	cr_expect_eq(memcmp(out, "\x88\x02\x03\xf4", 4), 0);
	cr_assert_eq(ws_close(out, WS_GOING_AWAY, mask), 8);
	cr_expect_eq(memcmp(out, "\x88\x82\x01\x02\x03\x04\x02\xeb", 8), 0);
	(void)passed(out, 8);
	cr_expect(scan.closed);
}

Test(ws, the_key_of_rfc_6455_gives_the_answer_of_rfc_6455)
{
	char out[WS_ACCEPT_SIZE];

	ws_accept(SPAN("dGhlIHNhbXBsZSBub25jZQ=="), out);

	cr_expect_eq(memcmp(out, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", sizeof(out)), 0);
}

Test(ws, a_key_is_16_bytes_in_base64)
{
	char made[WS_KEY_SIZE];

	ws_make_key(made);

	cr_expect(ws_is_key((struct span){ .p = made, .n = sizeof(made) }));
	cr_expect(ws_is_key(SPAN("dGhlIHNhbXBsZSBub25jZQ==")));
	cr_expect_not(ws_is_key(SPAN("dGhlIHNhbXBsZSBub25jZQ=")));
	cr_expect_not(ws_is_key(SPAN("dGhlIHNhbXBsZSBub25jZ===")));
	cr_expect_not(ws_is_key(SPAN("dGhlIHNhbXBsZSBub25j Q==")));
	cr_expect_not(ws_is_key(SPAN("")));
}
