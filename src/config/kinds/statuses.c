/*
 * statuses - answers by their numbers: which mean healthy, and which are errors of
 * a pool.
 */
#include <stdlib.h>
#include <string.h>

#include "config_priv.h"

enum { MOST_STATUSES = 32, LEAST_GRPC = 1, MOST_GRPC = 16 };

static void statuses_keep(const struct key *k, void *base, uint16_t *list, size_t n)
{
	uint16_t *before;

	memcpy(&before, key_slot(k, base), sizeof(before));
	free(before);
	memcpy(key_slot(k, base), &list, sizeof(list));
	memcpy((char *)base + k->count_at, &n, sizeof(n));
}

static void statuses_fini(const struct key *k, void *base)
{
	statuses_keep(k, base, NULL, 0);
}

/* Without a preset the list may be empty. */
static void statuses_preset(const struct key *k, void *base)
{
	uint16_t *list = NULL;

	if (k->preset > 0) {
		list = mem_zero(sizeof(*list));
		*list = (uint16_t)k->preset;
	}
	statuses_keep(k, base, list, list != NULL);
}

static bool is_array(
	struct reader *rd, config_setting_t *s, int least, const char *expected)
{
	int n = config_setting_length(s);

	if (s->type != CONFIG_TYPE_ARRAY && s->type != CONFIG_TYPE_LIST)
		problem_type(rd, s, expected);
	else if (n < least || n > MOST_STATUSES)
		problem_at(rd, s, "expected %d..%d statuses, got %d", least,
			MOST_STATUSES, n);
	else
		return true;
	return false;
}

/* -1 after a complaint. */
static int entry_at(struct reader *rd, config_setting_t *s, int low, int high)
{
	long long status = config_setting_get_int64(s);

	if (s->type == CONFIG_TYPE_INT && status >= low && status <= high)
		return (int)status;

	char *expected = mem_print("a status in %d..%d", low, high);

	problem_type(rd, s, expected);
	free(expected);
	return -1;
}

static void statuses_read(
	struct reader *rd, const struct key *k, config_setting_t *s, void *base)
{
	if (!is_array(rd, s, k->preset > 0, "an array of statuses, as [ 500, 503 ]"))
		return;

	int n = config_setting_length(s);
	uint16_t *list = mem_zero(((size_t)n + 1) * sizeof(*list));
	size_t kept = 0;

	for (int i = 0; i < n; i++) {
		int status = entry_at(rd, config_setting_get_elem(s, (unsigned)i),
			(int)k->low, (int)k->high);

		if (status > 0)
			list[kept++] = (uint16_t)status;
	}
	statuses_keep(k, base, list, kept);
}

static void statuses_print(struct printer *p, const struct key *k, const void *base)
{
	const uint16_t *list;
	size_t n;

	memcpy(&list, key_field(k, base), sizeof(list));
	memcpy(&n, (const char *)base + k->count_at, sizeof(n));
	fputs("[ ", p->f);
	for (size_t i = 0; i < n; i++)
		fprintf(p->f, "%u%s", list[i], i + 1 < n ? ", " : " ");
	fputc(']', p->f);
}

const struct kind kind_statuses = {
	.name = "array of integers",
	.preset = statuses_preset,
	.read = statuses_read,
	.print = statuses_print,
	.fini = statuses_fini,
};

static void grpc_keep(const struct key *k, void *base, uint32_t bits)
{
	memcpy(key_slot(k, base), &bits, sizeof(bits));
}

static void grpc_preset(const struct key *k, void *base)
{
	grpc_keep(k, base, (uint32_t)k->preset);
}

static void grpc_read(
	struct reader *rd, const struct key *k, config_setting_t *s, void *base)
{
	uint32_t bits = 0;

	if (!is_array(rd, s, 0, "an array of gRPC's statuses, as [ 13, 14 ]"))
		return;
	for (int i = 0; i < config_setting_length(s); i++) {
		int status = entry_at(rd, config_setting_get_elem(s, (unsigned)i),
			LEAST_GRPC, MOST_GRPC);

		if (status > 0)
			bits |= UINT32_C(1) << status;
	}
	grpc_keep(k, base, bits);
}

static void grpc_print(struct printer *p, const struct key *k, const void *base)
{
	const char *separator = "";
	uint32_t bits;

	memcpy(&bits, key_field(k, base), sizeof(bits));
	fputs("[ ", p->f);
	for (unsigned i = LEAST_GRPC; i <= MOST_GRPC; i++) {
		if ((bits >> i & 1) == 0)
			continue;
		fprintf(p->f, "%s%u", separator, i);
		separator = ", ";
	}
	fputs(bits == 0 ? "]" : " ]", p->f);
}

const struct kind kind_grpc_statuses = {
	.name = "array of integers",
	.preset = grpc_preset,
	.read = grpc_read,
	.print = grpc_print,
};

/* UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS. */
#define GRPC_ERRORS (1 << 2 | 1 << 4 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 15)

static const struct key error_keys[] = {
	{
		.name = "status",
		.kind = &kind_statuses,
		AT(config_errors, status),
		.count_at = offsetof(struct config_errors, n_status),
		.text = "[ ]",
		.low = 400,
		.high = 599,
		.help = "answers that are errors of their pool, for guards and for "
			"rescue; empty = every 5xx but 501 and 505",
	},
	{
		.name = "grpc",
		.kind = &kind_grpc_statuses,
		AT(config_errors, grpc),
		.preset = GRPC_ERRORS,
		.text = "[ 2, 4, 12, 13, 14, 15 ]",
		.low = LEAST_GRPC,
		.high = MOST_GRPC,
		.help = "values of grpc-status that are; UNKNOWN, DEADLINE_EXCEEDED, "
			"UNIMPLEMENTED, INTERNAL, UNAVAILABLE and DATA_LOSS unless "
			"written otherwise; empty = none",
	},
};

const struct table table_errors = { TABLE_KEYS(error_keys) };
