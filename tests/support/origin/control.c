/*
 * The control port: tells ports what to do and says what they have done.
 *
 *   POST /set?KEY=VALUE&...    change settings (settings.c), keep the others
 *   POST /calm                 all settings to their defaults
 *   POST /refuse, /accept      close the listening socket and its connections; reopen
 *   POST /drop                 close all connections
 *   POST /zero                 all counts to 0
 *   GET  /stats                JSON, an object for each port
 *
 * Each but /stats takes name=NAME or port=NUMBER to mean these ports alone.
 */
#include "origin.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void drop(struct port *p)
{
	while (p->conns != NULL)
		conn_close(p->conns);
}

static void forget_canned(struct port *p)
{
	free(p->canned);
	p->canned = NULL;
}

static void calm(struct port *p)
{
	p->set = (struct settings){ .delay_ms = 0 };
	forget_canned(p);
}

static void zero(struct port *p)
{
	p->count = (struct counts){ .in_flight = p->count.in_flight };
}

static void reopen(struct port *p)
{
	if (port_open(p) == -1)
		fprintf(stderr, "origin: cannot listen on %s:%u again: %s\n", p->host,
			p->number, strerror(errno));
}

static const struct {
	const char *path;
	void (*act)(struct port *p);
} commands[] = {
	{ "/calm", calm },
	{ "/refuse", port_refuse },
	{ "/accept", reopen },
	{ "/drop", drop },
	{ "/zero", zero },
};

static bool is_selector(struct text key)
{
	return text_is(key, "name") || text_is(key, "port");
}

static bool is_meant(const struct port *p, struct text query)
{
	struct text key, value;

	if (p->is_control)
		return false;
	while (settings_next(&query, &key, &value)) {
		if (text_is(key, "name") && !text_is(value, p->name))
			return false;
		if (text_is(key, "port") && text_number(value) != p->number)
			return false;
	}
	return true;
}

static void answer(struct conn *c, unsigned status, const char *format, struct text t)
{
	char *text = NULL;

	if (asprintf(&text, format, (int)t.n, t.p != NULL ? t.p : "") == -1)
		abort();
	reply_text(c, status, "text/plain", text);
}

/* The query without its selectors, so that what is unknown can be refused. */
static bool apply(struct port *p, struct text query, struct text *unknown)
{
	struct text key, value;

	forget_canned(p);
	while (settings_next(&query, &key, &value)) {
		const char *end = value.p != NULL ? value.p + value.n : key.p + key.n;
		struct text pair = { .p = key.p, .n = (size_t)(end - key.p) };

		if (!is_selector(key) && !settings_apply(&p->set, pair, unknown))
			return false;
	}
	return true;
}

static void set(struct conn *c)
{
	struct text unknown;

	for (struct port *p = ports; p != NULL; p = p->next) {
		if (is_meant(p, c->req.query) && !apply(p, c->req.query, &unknown)) {
			answer(c, 400, "no such setting: %.*s\n", unknown);
			return;
		}
	}
	answer(c, 200, "ok%.*s\n", (struct text){ .n = 0 });
}

static void print_port(FILE *out, const struct port *p, bool first)
{
	const struct counts *n = &p->count;

	fprintf(out, "%s\n {\"name\": \"%s\", \"port\": %u, \"listening\": %s",
		first ? "" : ",", p->name, p->number, p->fd != -1 ? "true" : "false");
	fprintf(out, ", \"open\": %zu, \"connections\": %llu", p->open,
		(unsigned long long)n->connections);
	fprintf(out, ", \"requests\": %llu, \"health_checks\": %llu",
		(unsigned long long)n->requests, (unsigned long long)n->health_checks);
	fprintf(out, ", \"failed\": %llu, \"gone\": %llu, \"first_failed\": %.6f",
		(unsigned long long)n->failed, (unsigned long long)n->gone,
		n->first_failed);
	fprintf(out, ", \"in_flight\": %llu, \"max_in_flight\": %llu",
		(unsigned long long)n->in_flight, (unsigned long long)n->max_in_flight);
	fprintf(out, ", \"body_bytes\": %llu}", (unsigned long long)n->body_bytes);
}

static void stats(struct conn *c)
{
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);
	bool first = true;

	if (out == NULL)
		abort();
	fputs("[", out);
	for (const struct port *p = ports; p != NULL; p = p->next) {
		if (p->is_control)
			continue;
		print_port(out, p, first);
		first = false;
	}
	fputs("\n]\n", out);
	fclose(out);
	reply_text(c, 200, "application/json", text);
}

void control_answer(struct conn *c)
{
	if (text_is(c->req.path, "/stats")) {
		stats(c);
		return;
	}
	if (text_is(c->req.path, "/set")) {
		set(c);
		return;
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (!text_is(c->req.path, commands[i].path))
			continue;
		for (struct port *p = ports; p != NULL; p = p->next) {
			if (is_meant(p, c->req.query))
				commands[i].act(p);
		}
		answer(c, 200, "ok%.*s\n", (struct text){ .n = 0 });
		return;
	}
	answer(c, 404, "no such command: %.*s\n", c->req.path);
}
