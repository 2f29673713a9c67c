/*
 * Lines of key=value pairs. A line is put together on the stack and goes out
 * in one write(2), so that lines of several threads and processes never mix.
 *
 * Logging must never hold up traffic: a line that nobody takes is lost, and the next
 * one that goes out says how many were. One thread at a time asks and writes, so that
 * room for a line is still there when it comes.
 *
 * What does not fit is cut off between two characters, and the line says so.
 */
#include "sluice/base/log.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sluice/base/clock.h"
#include "sluice/base/utf8.h"

#include "base_priv.h"

enum { LINE_SIZE = LOG_VALUE_SIZE, SEAL_ROOM = 32 };

struct line {
	enum log_format format;
	bool cut; /* something did not fit: nothing more is put */
	size_t n;
	char p[LINE_SIZE];
};

static _Atomic int level_now = LOG_INFO;
static _Atomic int format_now = LOG_TEXT;

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static unsigned lost; /* lines; of whose turn it is */

void log_setup(enum log_level level, enum log_format format)
{
	atomic_store_explicit(&level_now, (int)level, memory_order_relaxed);
	atomic_store_explicit(&format_now, (int)format, memory_order_relaxed);
}

bool log_wants(enum log_level level)
{
	return (int)level <= atomic_load_explicit(&level_now, memory_order_relaxed);
}

/* Into the room that is kept for the end of the line. */
static void seal(struct line *l, const char *text)
{
	size_t n = strlen(text);

	assert(n <= LINE_SIZE - l->n);
	memcpy(l->p + l->n, text, n);
	l->n += n;
}

/* All of it or nothing. */
static bool put(struct line *l, const char *p, size_t n)
{
	if (l->n + n > LINE_SIZE - SEAL_ROOM)
		l->cut = true;
	if (l->cut)
		return false;
	memcpy(l->p + l->n, p, n);
	l->n += n;
	return true;
}

static bool put_text(struct line *l, const char *text)
{
	return put(l, text, strlen(text));
}

/* Whether the character of len bytes at p may stand between quotes as it is.
 * U+0080 to U+009F may not: a terminal obeys U+009B like ESC [. */
static bool is_harmless(const char *p, size_t len)
{
	unsigned first = (unsigned char)p[0];

	if (len == 1)
		return first >= ' ' && first != 0x7f && first != '"' && first != '\\';
	return len > 1 && (first != 0xc2 || (unsigned char)p[1] >= 0xa0);
}

/* Puts the character at p and returns how many bytes of p it took. */
static size_t put_character(struct line *l, const char *p, size_t n)
{
	size_t len = utf8_len(p, n);
	unsigned c = (unsigned char)p[len == 2];
	char escaped[8];

	if (is_harmless(p, len)) {
		put(l, p, len);
		return len;
	}
	if (c == '"' || c == '\\')
		(void)snprintf(escaped, sizeof(escaped), "\\%c", (char)c);
	else if (l->format == LOG_JSON)
		(void)snprintf(
			escaped, sizeof(escaped), "\\u%04x", len > 0 ? c : 0xfffdu);
	else
		(void)snprintf(escaped, sizeof(escaped), "\\x%02x", c);
	put_text(l, escaped);
	return len > 0 ? len : 1;
}

static bool put_quoted(struct line *l, const char *text, size_t n)
{
	if (!put_text(l, "\""))
		return false;
	for (size_t i = 0; i < n && !l->cut;)
		i += put_character(l, text + i, n - i);
	seal(l, "\"");
	return true;
}

static bool is_plain(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned c = (unsigned char)text[i];

		if (c <= ' ' || c >= 0x7f || c == '"' || c == '=' || c == '\\')
			return false;
	}
	return n > 0;
}

static bool put_value(struct line *l, const struct log_value *v)
{
	bool bare = l->format == LOG_JSON ? log_is_number(v) : is_plain(v->p, v->n);

	return bare ? put(l, v->p, v->n) : put_quoted(l, v->p, v->n);
}

static bool put_key(struct line *l, const char *key, size_t n)
{
	bool first = l->n == 0;

	if (l->format == LOG_JSON)
		return put_text(l, first ? "{\"" : ",\"") && put(l, key, n) &&
		       put_text(l, "\":");
	return put_text(l, first ? "" : " ") && put(l, key, n) && put_text(l, "=");
}

/* A pair whose value has no room to begin is left out. */
static void put_pair(
	struct line *l, const char *key, size_t key_n, const struct log_value *v)
{
	size_t start = l->n;

	if (!put_key(l, key, key_n) || !put_value(l, v))
		l->n = start;
}

static void put_own(struct line *l, const char *key, const char *text)
{
	struct log_value v;

	v.is_text = true;
	v.n = strnlen(text, sizeof(v.p));
	memcpy(v.p, text, v.n);
	put_pair(l, key, strlen(key), &v);
}

static void put_pairs(struct line *l, const char *fmt, struct log_args *a)
{
	while (*fmt != '\0' && !l->cut) {
		size_t key_n = strcspn(fmt, "= %");
		const char *key = fmt;
		struct log_value v;

		fmt = log_read_value(&v, fmt + key_n + (fmt[key_n] == '='), a);
		put_pair(l, key, key_n, &v);
		fmt += strspn(fmt, " ");
	}
}

static void begin(struct line *l, enum log_level level, const char *msg)
{
	static const char *const names[] = {
		[LOG_ERROR] = "error",
		[LOG_WARN] = "warn",
		[LOG_INFO] = "info",
		[LOG_DEBUG] = "debug",
	};
	char now[CLOCK_TEXT_SIZE];

	l->format = (enum log_format)atomic_load_explicit(
		&format_now, memory_order_relaxed);
	l->cut = false;
	l->n = 0;
	clock_text(clock_wall_us(), now);
	put_own(l, "time", now);
	put_own(l, "level", names[level]);
	put_own(l, "msg", msg);
}

static void end(struct line *l)
{
	if (l->cut)
		seal(l, l->format == LOG_JSON ? ",\"cut\":true" : " cut=true");
	seal(l, l->format == LOG_JSON ? "}\n" : "\n");
}

static bool has_room(void)
{
	struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };

	return poll(&p, 1, 0) != 0; /* what is wrong with it is write's to find */
}

static void put_lost(struct line *l)
{
	struct log_value v = { .is_text = false };

	v.n = (size_t)snprintf(v.p, sizeof(v.p), "%u", lost);
	put_pair(l, "lost", strlen("lost"), &v);
}

static void write_line(
	enum log_level level, const char *msg, const char *fmt, struct log_args *a)
{
	struct line l;

	begin(&l, level, msg);
	if (lost > 0)
		put_lost(&l);
	put_pairs(&l, fmt, a);
	end(&l);

	ssize_t written = write(STDERR_FILENO, l.p, l.n);
	(void)written;
	lost = 0;
}

void log_line(enum log_level level, const char *msg, const char *fmt, ...)
{
	int saved = errno;
	struct log_args a;

	if (!log_wants(level))
		return;
	(void)pthread_mutex_lock(&turn);
	if (has_room()) {
		va_start(a.ap, fmt);
		write_line(level, msg, fmt, &a);
		va_end(a.ap);
	} else {
		lost++;
	}
	(void)pthread_mutex_unlock(&turn);
	errno = saved;
}

bool log_open_gate(struct log_gate *gate)
{
	unsigned long long last = atomic_load(&gate->last_ms);
	unsigned long long now = clock_mono_ms();
	bool due = last == 0 || now - last >= 1000;

	/* Of several threads that come at once, one gets through. */
	if (!due || !atomic_compare_exchange_strong(&gate->last_ms, &last, now)) {
		atomic_fetch_add(&gate->held, 1);
		return false;
	}
	atomic_store(&gate->told, atomic_exchange(&gate->held, 0));
	return true;
}

unsigned log_held(const struct log_gate *gate)
{
	return atomic_load(&gate->told);
}
