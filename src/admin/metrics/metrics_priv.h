/*
 * metrics_priv - what the files of metrics share: families of samples, shown for each
 * of several rows that were read before.
 */
#ifndef SLUICE_ADMIN_METRICS_PRIV_H
#define SLUICE_ADMIN_METRICS_PRIV_H

#include "admin_priv.h"

struct family { /* one metric; each row gives its samples */
	const char *name, *type, *help;
	void (*show)(struct text *t, const struct family *f, const void *row);
	double (*value)(const void *row); /* when show is NULL: one sample a row */
	int arg;
};

struct family_group { /* the same families for each of several rows */
	const struct family *families;
	size_t n_families;
	size_t row_bytes;
	void (*fini)(void *row);
};

extern const struct family_group metrics_migrations, metrics_pools, metrics_servers;

/* What rows begin with: "migration=\"api\"", heap memory. */
struct labels {
	char *text;
};

void metrics_head(struct text *t, const char *name, const char *type, const char *help);
void metrics_value(struct text *t, const char *name, const char *labels, double value);
/* name="value", escaped, with a comma before it unless it is the first. */
void metrics_label(struct text *t, const char *name, const char *value);

void metrics_process(const struct api *api, struct text *out);
void metrics_take_migration(
	void *row, const struct admin_migration *m, const struct buckets *b);
void metrics_take_pool(void *row, const struct pool *p);
void metrics_take_server(void *row, const struct server *s);

/* --- buckets.c: from hist's fine buckets to Prometheus' few ------------------- */

enum { METRICS_BUCKETS = 18 };
struct metrics_bound {
	double s;
	const char *text; /* of s, for the label */
};
extern const struct metrics_bound metrics_bounds[METRICS_BUCKETS];

struct bucketed {
	uint64_t upto[METRICS_BUCKETS], count; /* cumulative */
	double sum_s;
};
void buckets_apply(
	const struct buckets *b, const struct hist_total *t, struct bucketed *out);

#endif
