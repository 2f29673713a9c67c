/*
 * hist has 1,344 fine buckets, Prometheus gets eighteen. Which belongs where is asked
 * of hist itself, once: a view with one sample in bucket b has b's value as quantile.
 */
#include <stdlib.h>

#include "sluice/base/mem.h"

#include "metrics/metrics_priv.h"

const double metrics_bound_s[METRICS_BUCKETS] = { 0.0001, 0.00025, 0.0005, 0.001,
	0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 10, 30 };

struct buckets {
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

struct buckets *buckets_new(void)
{
	struct buckets *b = mem_zero(sizeof(*b));
	struct hist_view *v = mem_zero(sizeof(*v));

	for (unsigned fine = 0; fine < HIST_BUCKETS; fine++) {
		v->count[fine] = 1;
		b->value_s[fine] = (double)hist_quantile(v, 1000) / 1e6;
		b->bucket[fine] = bucket_of(b->value_s[fine]);
		v->count[fine] = 0;
	}
	free(v);
	return b;
}

void buckets_free(struct buckets *b)
{
	free(b);
}

void buckets_apply(
	const struct buckets *b, const struct hist_total *t, struct bucketed *out)
{
	*out = (struct bucketed){ .count = 0 };
	for (unsigned fine = 0; fine < HIST_BUCKETS; fine++) {
		if (t->count[fine] == 0)
			continue;
		out->count += t->count[fine];
		out->sum_s += b->value_s[fine] * (double)t->count[fine];
		if (b->bucket[fine] < METRICS_BUCKETS)
			out->upto[b->bucket[fine]] += t->count[fine];
	}
	for (unsigned coarse = 1; coarse < METRICS_BUCKETS; coarse++)
		out->upto[coarse] += out->upto[coarse - 1];
}
