/* What was seen in the window, as one JSON object. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>

#include "sluice/base/hist.h"

static void print_quantiles(void)
{
	static const struct {
		const char *name;
		unsigned permille;
	} quantiles[] = {
		{ "p50_us", 500 },
		{ "p90_us", 900 },
		{ "p99_us", 990 },
		{ "p999_us", 999 },
		{ "max_us", 1000 },
	};
	struct hist_view *v = calloc(1, sizeof(*v));

	if (v == NULL)
		abort();
	hist_add(v, tally.latency);
	for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++)
		printf(", \"%s\": %llu", quantiles[i].name,
			(unsigned long long)hist_quantile(v, quantiles[i].permille));
	free(v);
}

void report_print(double seconds)
{
	printf("{\"seconds\": %.6f, \"requests\": %llu, \"failures\": %llu", seconds,
		(unsigned long long)tally.requests, (unsigned long long)tally.failures);
	printf(", \"not_2xx\": %llu, \"connects\": %llu",
		(unsigned long long)tally.not_2xx, (unsigned long long)tally.connects);
	printf(", \"bytes_in\": %llu, \"bytes_out\": %llu",
		(unsigned long long)tally.bytes_in,
		(unsigned long long)tally.bytes_out);
	print_quantiles();
	printf("}\n");
	fflush(stdout);
}
