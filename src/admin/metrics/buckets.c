/*
 * hist has 1,344 fine buckets, Prometheus gets eighteen. Which belongs where is asked
 * of hist itself, once: a view with one sample in bucket b has b's value as quantile.
 */
#include <stdlib.h>

#include "sluice/base/mem.h"

#include "metrics/metrics_priv.h"

const struct metrics_bound metrics_bounds[METRICS_BUCKETS] = {
	{ .s = 0.0001, .text = "0.0001" },
	{ .s = 0.00025, .text = "0.00025" },
	{ .s = 0.0005, .text = "0.0005" },
	{ .s = 0.001, .text = "0.001" },
	{ .s = 0.0025, .text = "0.0025" },
	{ .s = 0.005, .text = "0.005" },
	{ .s = 0.01, .text = "0.01" },
	{ .s = 0.025, .text = "0.025" },
	{ .s = 0.05, .text = "0.05" },
	{ .s = 0.1, .text = "0.1" },
	{ .s = 0.25, .text = "0.25" },
	{ .s = 0.5, .text = "0.5" },
	{ .s = 0.75, .text = "0.75" },
	{ .s = 1, .text = "1" },
	{ .s = 2.5, .text = "2.5" },
	{ .s = 5, .text = "5" },
	{ .s = 10, .text = "10" },
	{ .s = 30, .text = "30" },
};

struct buckets {
	double value_s[HIST_BUCKETS];
	uint8_t bucket[HIST_BUCKETS]; /* METRICS_BUCKETS: above the last bound */
};

static uint8_t bucket_of(double value_s)
{
	uint8_t b = 0;

	while (b < METRICS_BUCKETS && value_s > metrics_bounds[b].s)
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
