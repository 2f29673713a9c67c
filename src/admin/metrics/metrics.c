/*
 * /metrics: first every migration and server is read, one at a time, then the text is
 * made, family by family as the format wants it. Nothing of what was read is borrowed,
 * so a reload in between only means to read anew.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/base/mem.h"

#include "metrics/metrics_priv.h"

enum { MIGRATIONS, POOLS, SERVERS, N_GROUPS };
enum { ROWS_AT_ONCE = 32 };

static const struct family_group *const groups[N_GROUPS] = {
	[MIGRATIONS] = &metrics_migrations,
	[POOLS] = &metrics_pools,
	[SERVERS] = &metrics_servers,
};

struct rows {
	char *p;
	size_t n;
};

struct metrics {
	struct body_source source;
	const struct api *api;
	struct cursor cursor;
	size_t next_migration, next_pool;
	struct rows rows[N_GROUPS];
	bool process_done;
	size_t group, family, row; /* what is made next */
};

/* --- writing ---------------------------------------------------------------- */

void metrics_head(struct text *t, const char *name, const char *type, const char *help)
{
	text_print(t, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void metrics_value(struct text *t, const char *name, const char *labels, double value)
{
	bool whole = fabs(value) < 0x1p53 && value == trunc(value);

	text_put(t, name);
	text_put(t, labels[0] != '\0' ? "{" : "");
	text_put(t, labels);
	text_put(t, labels[0] != '\0' ? "} " : " ");
	if (isnan(value))
		text_put(t, "NaN");
	else if (whole && !signbit(value))
		text_u64(t, (uint64_t)value);
	else
		text_print(t, whole ? "%.0f" : "%.9g", value);
	text_put(t, "\n");
}

/* What is no printable ASCII (a socket's path may be anything) goes as %XX. */
void metrics_label(struct text *t, const char *name, const char *value)
{
	text_print(t, "%s%s=\"", t->n > 0 ? "," : "", name);
	for (const char *c = value; *c != '\0'; c++) {
		unsigned char byte = (unsigned char)*c;

		if (byte == '"' || byte == '\\')
			text_print(t, "\\%c", byte);
		else if (byte < 0x20 || byte >= 0x7f)
			text_print(t, "%%%02X", byte);
		else
			text_add(t, c, 1);
	}
	text_add(t, "\"", 2); /* with the NUL: labels are kept as a string */
	text_drop(t, 1);
}

/* --- gathering -------------------------------------------------------------- */

static void *new_row(struct metrics *m, size_t group)
{
	struct rows *r = &m->rows[group];
	size_t bytes = groups[group]->row_bytes;

	r->p = mem_grow(r->p, (r->n + 1) * bytes);
	memset(r->p + r->n * bytes, 0, bytes);
	return r->p + r->n++ * bytes;
}

static void forget_rows(struct metrics *m)
{
	for (size_t g = 0; g < N_GROUPS; g++) {
		for (size_t i = 0; i < m->rows[g].n; i++)
			groups[g]->fini(m->rows[g].p + i * groups[g]->row_bytes);
		free(m->rows[g].p);
		m->rows[g] = (struct rows){ .n = 0 };
	}
	m->next_migration = m->next_pool = 0;
}

/* The same address twice in a pool is the same server, and one series. */
static bool is_repeated(const struct pool *p, size_t i)
{
	for (size_t before = 0; before < i; before++) {
		if (pool_server(p, before) == pool_server(p, i))
			return true;
	}
	return false;
}

static void gather_pool(struct metrics *m, const struct pool *p)
{
	metrics_take_pool(new_row(m, POOLS), p);
	for (size_t i = 0; i < pool_n_servers(p); i++) {
		if (!is_repeated(p, i))
			metrics_take_server(new_row(m, SERVERS), pool_server(p, i));
	}
}

/* True while there is more to read. */
static bool gather(struct metrics *m)
{
	const struct admin_ops *ops = &m->api->ops;
	struct admin_migration now = { .config = NULL };
	struct pool *const *pools;

	if (cursor_moved(&m->cursor))
		forget_rows(m);
	if (m->next_migration < m->cursor.migrations) {
		ops->migration(ops->arg, m->next_migration++, &now);
		metrics_take_migration(new_row(m, MIGRATIONS), &now, m->api->buckets);
		return true;
	}
	if (m->next_pool < ops->pools(ops->arg, &pools)) {
		gather_pool(m, pools[m->next_pool++]);
		return true;
	}
	return false;
}

/* --- the page --------------------------------------------------------------- */

static void show_row(struct text *out, const struct family *f, const void *row)
{
	if (f->show != NULL)
		f->show(out, f, row);
	else
		metrics_value(out, f->name, ((const struct labels *)row)->text,
			f->value(row));
}

static void next_family(struct metrics *m)
{
	m->row = 0;
	if (++m->family < groups[m->group]->n_families)
		return;
	m->family = 0;
	m->group++;
}

static void show_some(struct metrics *m, struct text *out)
{
	const struct family_group *g = groups[m->group];
	const struct family *f = &g->families[m->family];
	const struct rows *r = &m->rows[m->group];

	if (m->row == 0 && r->n > 0)
		metrics_head(out, f->name, f->type, f->help);
	for (size_t n = 0; n < ROWS_AT_ONCE && m->row < r->n; n++, m->row++)
		show_row(out, f, r->p + m->row * g->row_bytes);
	if (m->row == r->n)
		next_family(m);
}

static bool metrics_make(struct body_source *source, struct text *out)
{
	struct metrics *m = (struct metrics *)(void *)source;

	if (!m->process_done) {
		if (gather(m))
			return true;
		metrics_process(m->api, out);
		m->process_done = true;
		return true;
	}
	if (m->group < N_GROUPS)
		show_some(m, out);
	return m->group < N_GROUPS;
}

static void metrics_free(struct body_source *source)
{
	struct metrics *m = (struct metrics *)(void *)source;

	forget_rows(m);
	free(m);
}

struct body_source *metrics_source(const struct api *api)
{
	struct metrics *m = mem_zero(sizeof(*m));

	m->source = (struct body_source){ .make = metrics_make, .free = metrics_free };
	m->api = api;
	cursor_init(&m->cursor, &api->ops);
	return &m->source;
}
