/*
 * log - one line an event, to stderr.
 *
 * A fixed lower-case phrase, then its values as a format of key=%s pairs:
 *
 *	log_info("shift advanced", "migration=%s from=%u to=%u", name, a, b);
 *
 * prints, as text or as one JSON object,
 *
 *	time=... level=info msg="shift advanced" migration=checkout from=5 to=25
 *
 * The pairs are separated by one blank; each has one conversion (s d i u x zu
 * llu lu PRIu64 .Nf c) and may have literal text around it. A text with blanks or
 * quotes is quoted. With no values the format is "". Never put secrets,
 * cookies, bodies or query strings in a line. One write(2) a line, which waits
 * for nobody: a line that no one takes is lost, and counted in the next. Safe
 * from any thread; not from a signal handler.
 */
#ifndef SLUICE_BASE_LOG_H
#define SLUICE_BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON };

/* At start and at reload. Until the first call: info, text. */
void log_setup(enum log_level level, enum log_format format);
bool log_wants(enum log_level level);

void log_line(enum log_level level, const char *msg, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)

/* Lets through at most one line a second for each gate and adds to it, as
 * repeated=N, how many it held back: static struct log_gate gate;
 * if (log_open_gate(&gate)) log_warn(..., "repeated=%u", log_held(&gate)). */
struct log_gate {
	_Atomic unsigned long long last_ms;
	_Atomic unsigned held, told;
};

bool log_open_gate(struct log_gate *gate);
unsigned log_held(const struct log_gate *gate);

#endif
