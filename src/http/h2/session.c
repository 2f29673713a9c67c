/*
 * Sessions: how they begin, what they announce, and how they end. Going away takes two
 * frames (RFC 9113, 6.8): a notice that covers every stream, and when the answer to a
 * PING shows that the client has read it, the number of the last one that was taken.
 */
#include <assert.h>
#include <nghttp2/nghttp2.h>

#include "http_priv.h"

enum { DRAIN_NOT, DRAIN_NOTICED, DRAIN_DONE };

const uint8_t h2_drain_ping[H2_PING_BYTES] = { 's', 'l', 'u', 'i', 'c', 'e', 0, 1 };

static int announce(struct h2 *h)
{
	const struct h2_limits *l = &h->limits;
	nghttp2_settings_entry all[] = {
		{ .settings_id = NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
			.value = l->streams },
		{ .settings_id = NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
			.value = l->stream_window },
		{ .settings_id = NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
			.value = l->header_bytes },
		{ .settings_id = NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, .value = 1 },
		{ .settings_id = NGHTTP2_SETTINGS_ENABLE_PUSH, .value = 0 },
	};
	size_t n = sizeof all / sizeof all[0];

	if (h->server && l->websocket)
		all[n - 1] = (nghttp2_settings_entry){
			.settings_id = NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL,
			.value = 1,
		};
	else if (h->server)
		n--;
	if (nghttp2_submit_settings(h->ng, NGHTTP2_FLAG_NONE, all, n) != 0)
		return -1;
	return nghttp2_session_set_local_window_size(
		       h->ng, NGHTTP2_FLAG_NONE, 0, (int32_t)l->connection_window) == 0
		       ? 0
		       : -1;
}

static struct h2 *open_session(struct h2_shared *shared, const struct h2 *model)
{
	struct h2 *h = slab_take(&shared->sessions);

	if (h == NULL)
		return NULL;
	*h = *model;
	h->shared = shared;
	h->flood = H2_N_FLOODS;
	list_init(&h->streams);
	h2_watch_start(h);
	if (h2_shared_open(h) != 0 || announce(h) != 0) {
		h2_free(h);
		return NULL;
	}
	return h;
}

struct h2 *h2_server_new(struct h2_shared *s, const struct h2_limits *limits,
	const struct h2_events *events, void *arg)
{
	struct h2 model = {
		.events = events, .arg = arg, .limits = *limits, .server = true
	};

	assert(limits->field_count <= HTTP_MAX_FIELDS);
	return open_session(s, &model);
}

struct h2 *h2_client_new(struct h2_shared *s, const struct h2_limits *limits,
	const struct h2_events *events, void *arg)
{
	struct h2 model = { .events = events, .arg = arg, .limits = *limits };

	assert(limits->field_count <= HTTP_MAX_FIELDS);
	return open_session(s, &model);
}

void h2_free(struct h2 *h)
{
	if (h == NULL)
		return;

	nghttp2_session_del(h->ng);
	h2_head_end(h);
	LIST_EACH (&h->streams, it, after)
		h2_stream_free(h, LIST_ENTRY(it, struct h2_stream, link));
	slab_give(&h->shared->sessions, h);
}

bool h2_wants_write(const struct h2 *h)
{
	return nghttp2_session_want_write(h->ng) != 0;
}

bool h2_is_over(const struct h2 *h)
{
	return h->dead || (nghttp2_session_want_read(h->ng) == 0 && !h2_wants_write(h));
}

size_t h2_open_streams(const struct h2 *h)
{
	return h->n_streams;
}

size_t h2_room(const struct h2 *h)
{
	if (h->broken || h->drain != DRAIN_NOT ||
		nghttp2_session_check_request_allowed(h->ng) == 0)
		return 0;

	size_t max = nghttp2_session_get_remote_settings(
		h->ng, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
	return max > h->n_streams ? max - h->n_streams : 0;
}

bool h2_peer_is_known(const struct h2 *h)
{
	return h->known;
}

bool h2_peer_allows_websocket(const struct h2 *h)
{
	return nghttp2_session_get_remote_settings(
		       h->ng, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1;
}

static void say_last(struct h2 *h)
{
	h->drain = DRAIN_DONE;
	(void)nghttp2_submit_goaway(h->ng, NGHTTP2_FLAG_NONE,
		nghttp2_session_get_last_proc_stream_id(h->ng), NGHTTP2_NO_ERROR, NULL,
		0);
}

/* Without memory for these frames the session ends by itself soon. */
void h2_goaway(struct h2 *h)
{
	if (h->broken || h->drain == DRAIN_DONE)
		return;
	if (h->drain == DRAIN_NOTICED || !h->server) {
		say_last(h);
		return;
	}
	h->drain = DRAIN_NOTICED;
	(void)nghttp2_submit_shutdown_notice(h->ng);
	(void)nghttp2_submit_ping(h->ng, NGHTTP2_FLAG_NONE, h2_drain_ping);
}

void h2_drain(struct h2 *h)
{
	if (h->drain == DRAIN_NOTICED && !h->broken)
		say_last(h);
}

void h2_break(struct h2 *h, uint32_t code)
{
	if (h->broken)
		return;
	h->broken = true;
	(void)nghttp2_session_terminate_session(h->ng, code);
	if (h->flood != H2_N_FLOODS)
		h->events->on_flood(h->arg, h->flood);
	LIST_EACH (&h->streams, it, after) {
		struct h2_stream *s = LIST_ENTRY(it, struct h2_stream, link);
		void *owner = s->owner;

		s->owner = NULL;
		if (owner != NULL)
			h->events->on_reset(owner, code);
	}
}
