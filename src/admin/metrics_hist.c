/*
 * hist has 1,344 fine buckets, Prometheus gets eighteen. Which belongs where is asked
 * of hist itself, once: a view with one sample in bucket b has b's value as quantile.
 */
#include <stdlib.h>

#include "sluice/base/mem.h"

#include "admin_priv.h"

const double metrics_bound_s[METRICS_BUCKETS] = { 0.0001, 0.00025, 0.0005, 0.001,
	0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 10, 30 };

struct scale {
	double value_s[HIST_BUCKETS];
	uint8_t bucket[HIST_BUCKETS]; /* METRICS_BUCKETS: above the last bound */
};

static uint8_t bucket_of(double value_s)
{
	uint8_t b = 0;

	while (b < METRICS_BUCKETS && value_s > metrics_bound_s[b])
		b++;
	return b;
}

struct scale *scale_new(void)
{
	struct scale *s = mem_zero(sizeof(*s));
	struct hist_view *v = mem_zero(sizeof(*v));

	for (unsigned b = 0; b < HIST_BUCKETS; b++) {
		v->count[b] = 1;
		s->value_s[b] = (double)hist_quantile(v, 1000) / 1e6;
		s->bucket[b] = bucket_of(s->value_s[b]);
		v->count[b] = 0;
	}
	free(v);
	return s;
}

void scale_free(struct scale *s)
{
	free(s);
}

void scale_apply(const struct scale *s, const struct hist_total *t, struct scaled *out)
{
	*out = (struct scaled){ .count = 0 };
	for (unsigned b = 0; b < HIST_BUCKETS; b++) {
		out->count += t->count[b];
		out->sum_s += s->value_s[b] * (double)t->count[b];
		if (s->bucket[b] < METRICS_BUCKETS)
			out->upto[s->bucket[b]] += t->count[b];
	}
	for (unsigned b = 1; b < METRICS_BUCKETS; b++)
		out->upto[b] += out->upto[b - 1];
}
