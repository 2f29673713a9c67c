/* Bytes on their way out: framing, order, what is kept, and a receiver that is slow. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sluice/base/clock.h"

#include "exchange/exchange_priv.h"

enum { TINY = 4096, PIECE = 57344, PATIENCE_MS = 5000 };

static struct net_loop *loop;
static struct buf_pool *bufs;
static struct net_conn *conn;
static int receiver = -1;
static struct stage stage;
static struct buf source;
static bool begun, moved;
static char got[600000];
static size_t n_got;

static void setup(void)
{
	loop = net_loop_new(0);
	bufs = net_loop_bufs(loop);
}

static void teardown(void)
{
	stage_fini(bufs, &stage);
	buf_release(bufs, &source);
	if (conn != NULL)
		net_conn_close(conn);
	if (receiver != -1)
		close(receiver);
	net_loop_free(loop);
}

TestSuite(stage, .init = setup, .fini = teardown, .timeout = 20);

/* --- a connection to send on ---------------------------------------------------------
 */

static uint64_t deadline_ms;

static void on_look(void *arg)
{
	(void)arg;
	if (net_conn_is_open(conn) || clock_mono_ms() > deadline_ms)
		net_loop_stop(loop);
}

static void run_until_open(void)
{
	struct net_ticker *t = net_ticker_new(loop, 1, NET_LAST, on_look, NULL);

	deadline_ms = clock_mono_ms() + PATIENCE_MS;
	net_loop_run(loop);
	net_ticker_free(t);
	cr_assert(net_conn_is_open(conn));
}

static void open_connection(void)
{
	const struct net_target target = { .tls = NULL };
	struct sockaddr_in here = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(here);
	int tiny = TINY, listening = socket(AF_INET, SOCK_STREAM, 0);

	cr_assert_eq(
		setsockopt(listening, SOL_SOCKET, SO_RCVBUF, &tiny, sizeof(tiny)), 0);
	cr_assert_eq(bind(listening, (struct sockaddr *)&here, len), 0);
	cr_assert_eq(listen(listening, 1), 0);
	cr_assert_eq(getsockname(listening, (struct sockaddr *)&here, &len), 0);
	conn = net_connect(loop, (struct sockaddr *)&here, len, &target);
	receiver = accept(listening, NULL, NULL);
	close(listening);
	run_until_open();
}

static void receive(void)
{
	ssize_t n;

	while ((n = recv(receiver, got + n_got, sizeof(got) - n_got, MSG_DONTWAIT)) > 0)
		n_got += (size_t)n;
}

/* Sends and receives until all is gone. */
static void send_all(void)
{
	uint64_t until_ms = clock_mono_ms() + PATIENCE_MS;

	while (stage_send(&stage, conn, &source, &moved) == SENT_SOME) {
		cr_assert_lt(clock_mono_ms(), until_ms);
		receive();
	}
	receive();
}

static void received(const char *text)
{
	uint64_t until_ms = clock_mono_ms() + PATIENCE_MS;

	while (n_got < strlen(text) && clock_mono_ms() < until_ms)
		receive();
	cr_expect_eq(n_got, strlen(text));
	cr_expect_eq(memcmp(got, text, strlen(text)), 0, "%s", got);
}

static void fill_source(size_t n)
{
	cr_assert(buf_reserve(bufs, &source, n));
	for (size_t i = 0; i < n; i++)
		source.data[source.tail++] = (char)('a' + i % 26);
}

/* --- framing ------------------------------------------------------------------------
 */

static void staged(const char *text)
{
	cr_expect_eq(buf_len(&stage.bytes), strlen(text));
	cr_expect_eq(memcmp(buf_head(&stage.bytes), text, strlen(text)), 0);
}

Test(stage, a_piece_is_staged_as_it_is_or_as_a_chunk)
{
	cr_assert(stage_data(bufs, &stage, SPAN("hello"), false));
	cr_assert(stage_data(bufs, &stage, SPAN("a chunk of 23 bytes ..."), true));

	staged("hello17\r\na chunk of 23 bytes ...\r\n");
}

Test(stage, the_end_without_trailers_is_the_last_chunk_and_an_empty_line)
{
	cr_assert(stage_last(bufs, &stage, &begun));

	staged("0\r\n\r\n");
}

Test(stage, trailers_come_between_the_last_chunk_and_the_empty_line)
{
	cr_assert(stage_trailer(bufs, &stage, SPAN("A: 1"), &begun));
	cr_assert(stage_trailer(bufs, &stage, SPAN("B: 2"), &begun));
	cr_assert(stage_last(bufs, &stage, &begun));

	staged("0\r\nA: 1\r\nB: 2\r\n\r\n");
}

Test(stage, a_piece_is_so_small_that_it_fits_behind_what_may_be_staged)
{
	fill_source(BUF_LARGE);

	cr_expect_eq(stage_piece(&source, false).n, PIECE);
	cr_expect_eq(stage_piece(&source, false).p, buf_head(&source));
	cr_expect_leq(65536 + PIECE + H1_CHUNK_HEAD_MAX + 2, BUF_LARGE);
}

Test(stage, what_does_not_fit_is_refused_and_nothing_of_it_staged)
{
	static const char zeros[BUF_LARGE];
	struct span large = { .p = zeros, .n = sizeof(zeros) - 100 };
	cr_assert(stage_data(bufs, &stage, large, false));

	cr_expect_not(stage_data(bufs, &stage, (struct span){ zeros, 101 }, false));

	cr_expect_eq(buf_len(&stage.bytes), large.n);
}

/* --- sending
 * --------------------------------------------------------------------------- */

Test(stage, staged_bytes_go_before_those_of_the_source_in_one_stream)
{
	open_connection();
	fill_source(5);
	cr_assert(stage_data(bufs, &stage, SPAN("head "), false));
	stage.direct = 3;

	cr_expect_eq(stage_send(&stage, conn, &source, &moved), SENT_ALL);

	received("head abc");
	cr_expect(moved);
	cr_expect(stage_is_empty(&stage));
	cr_expect_eq(buf_len(&source), 2); /* what was not told to go stays */
}

Test(stage, nothing_to_send_is_sent_at_once)
{
	open_connection();

	cr_expect(stage_is_empty(&stage));
	cr_expect_eq(stage_send(&stage, conn, &source, &moved), SENT_ALL);
	cr_expect_not(moved);
}

Test(stage, a_slow_receiver_gets_every_byte_once_and_in_order)
{
	size_t sent = 0;
	open_connection();

	for (int round = 0; round < 4; round++) {
		fill_source(100000 - buf_len(&source));
		cr_assert(stage_data(bufs, &stage, SPAN("<>"), false));
		stage.direct = buf_len(&source);
		sent += 2 + stage.direct;
		send_all();
		cr_expect_eq(buf_len(&source), 0);
	}
	uint64_t until_ms = clock_mono_ms() + PATIENCE_MS;
	while (n_got < sent && clock_mono_ms() < until_ms)
		receive();

	cr_assert_eq(n_got, sent);
	for (size_t i = 0; i < n_got; i++) {
		size_t at = i % 100002;

		cr_assert_eq(got[i], at < 2 ? "<>"[at] : (char)('a' + (at - 2) % 26));
	}
}

Test(stage, what_is_kept_can_be_sent_again_from_its_start)
{
	open_connection();
	stage.keep = true;
	cr_assert(stage_data(bufs, &stage, SPAN("once "), false));
	cr_assert_eq(stage_send(&stage, conn, &source, &moved), SENT_ALL);
	cr_assert(stage_data(bufs, &stage, SPAN("more "), false));
	cr_assert_eq(stage_send(&stage, conn, &source, &moved), SENT_ALL);
	cr_expect(stage_is_empty(&stage));

	stage.sent = 0;
	cr_expect_not(stage_is_empty(&stage));
	cr_assert_eq(stage_send(&stage, conn, &source, &moved), SENT_ALL);

	received("once more once more ");
}

Test(stage, what_is_not_kept_costs_no_room)
{
	open_connection();

	for (int i = 0; i < 100; i++) {
		cr_assert(stage_data(bufs, &stage, SPAN("0123456789"), false));
		send_all();
		cr_assert_eq(buf_len(&stage.bytes), 0);
	}

	cr_expect_eq(stage.bytes.cap, BUF_SMALL);
}

Test(stage, a_receiver_that_is_gone_is_told_as_broken)
{
	static const struct linger at_once = { .l_onoff = 1 };
	uint64_t until_ms = clock_mono_ms() + PATIENCE_MS;
	enum sent result = SENT_ALL;
	open_connection();
	cr_assert_eq(
		setsockopt(receiver, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)),
		0);
	close(receiver);
	receiver = -1;

	while (result == SENT_ALL && clock_mono_ms() < until_ms) {
		cr_assert(stage_data(bufs, &stage, SPAN("x"), false));
		result = stage_send(&stage, conn, &source, &moved);
	}

	cr_expect_eq(result, SENT_BROKEN);
}
