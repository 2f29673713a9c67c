/*
 * err - what went wrong on a cold path, told from the inside out.
 *
 * The deepest function sets code and text; each caller on the way up says
 * where: err_wrap(err, "pool %s", name) turns "no such host" into
 * "pool new: no such host".
 */
#ifndef SLUICE_BASE_ERR_H
#define SLUICE_BASE_ERR_H

enum err_code {
	ERR_NONE,
	ERR_CONFIG, /* the operator's file or command is wrong */
	ERR_SYSTEM, /* a system call failed; errno's text is in the message */
	ERR_TLS,
	ERR_STORE,   /* SQLite or PostgreSQL */
	ERR_REFUSED, /* valid, but not now (a latch, an old generation) */
	ERR_NOT_FOUND,
	ERR_FORMAT, /* bytes that do not parse */
};

struct err {
	enum err_code code;
	char text[1024];
};

/* Both always return -1, so that "return err_set(...)" reads well. err may be
 * NULL: then nothing is kept. */
int err_set(struct err *err, enum err_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int err_wrap(struct err *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* ERR_SYSTEM with the text of errno behind the message. */
int err_errno(struct err *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
