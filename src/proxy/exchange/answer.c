/*
 * What sluice says itself: errors and redirects, small and clear, with the request's
 * id.
 *
 * The answer is staged, and relay sends it like any other response; nothing goes
 * upstream any more. When the request was not read to its end the connection closes
 * after the answer, lingering, so that a reset does not destroy it.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "sluice/base/clock.h"
#include "sluice/base/units.h"

#include "exchange/exchange_priv.h"

enum { RETRY_AFTER_S = 1, LOCATION_BYTES = 9216, PERMANENT_REDIRECT = 308 };
/* At least so long, and less than twice that. */
enum { COME_AGAIN_MS = 1500 };

void answer_count(struct thread *t, unsigned status)
{
	thread_count(t,
		status >= 500   ? STAT_OWN_5XX
		: status >= 400 ? STAT_OWN_4XX
		: status >= 300 ? STAT_OWN_3XX
				: STAT_OWN_2XX,
		1);
}

struct span answer_date(struct thread *t)
{
	uint64_t now_s = clock_wall_us() / US_PER_S;
	struct date *d = &t->date;
	time_t at = (time_t)now_s;
	struct tm tm;

	if (d->at_s != now_s && gmtime_r(&at, &tm) != NULL) {
		d->at_s = now_s;
		(void)strftime(
			d->text, sizeof(d->text), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	}
	return span_of(d->text);
}

/* Whatever was under way upstream is not this exchange's any more. */
static enum verdict send_own(struct exchange *r, struct http_own *own)
{
	upstream_close(r);
	r->keep_alive = r->keep_alive && r->to_upstream == HALF_DONE;
	own->keep_alive = r->keep_alive;
	own->date = answer_date(r->thread);
	own->request_id = (struct span){ .p = r->record.id, .n = r->record.id_n };
	own->head_only = r->head.method == HTTP_HEAD;
	own->edit = edit_own(r);
	stage_fini(net_loop_bufs(r->thread->loop), &r->down);
	if (!r->from->put_own(r, own)) {
		record_write(r, ENDING_BROKEN);
		return exchange_leave(r, LEAVE_QUIET);
	}
	answer_count(r->thread, own->status);
	r->record.own = true;
	r->record.status = (uint16_t)own->status;
	r->response_begun = true;
	r->to_client = HALF_DONE;
	return exchange_go(r, EX_RELAY);
}

/* An EventSource comes again after 200 alone. They come at different times, so that a
 * server which is back is not met by all at once. */
static enum verdict tell_to_come_again(struct exchange *r, unsigned status)
{
	char events[32];
	struct http_own own = { .status = 200, .events = events };
	uint32_t by_chance = (uint32_t)r->thread->id_count * UINT32_C(2654435769);
	enum verdict v;

	(void)snprintf(events, sizeof(events), "retry: %u\n\n",
		COME_AGAIN_MS + by_chance % COME_AGAIN_MS);
	v = send_own(r, &own);
	r->record.status = (uint16_t)status; /* counts as what it is */
	return v;
}

enum verdict answer(struct exchange *r, unsigned status, const char *text)
{
	struct http_own own = { .status = status, .text = text };

	if (r->wants_events && r->migration != NULL && status >= 502 && status <= 504 &&
		r->migration_config->event_retry)
		return tell_to_come_again(r, status);
	if (status == 503)
		own.retry_after_s = RETRY_AFTER_S;
	return send_own(r, &own);
}

enum verdict answer_redirect(struct exchange *r)
{
	char host[256], location[LOCATION_BYTES];
	struct span target = http_text(&r->head, r->head.target);
	uint16_t port = r->client->redirect_port;
	struct http_own own = { .status = PERMANENT_REDIRECT };
	char port_text[8] = "";
	size_t host_n;
	int n;

	if (!http_host_name(
		    http_text(&r->head, r->head.host), host, sizeof(host), &host_n) ||
		host_n == 0)
		return answer(r, 400, "a redirect needs a Host");
	if (port != 443)
		snprintf(port_text, sizeof(port_text), ":%u", port);
	n = snprintf(location, sizeof(location), "https://%.*s%s%.*s", (int)host_n,
		host, port_text, target.n > 0 && target.p[0] == '/' ? (int)target.n : 0,
		target.p);
	if (n < 0 || (size_t)n >= sizeof(location))
		return answer(r, 414, "the target is too long to redirect");
	own.location = (struct span){ .p = location, .n = (size_t)n };
	return send_own(r, &own);
}
