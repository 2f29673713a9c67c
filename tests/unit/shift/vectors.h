/*
 * What test_guard_vectors plays a case on, and the comparison with what is expected.
 */
#ifndef SLUICE_TESTS_VECTORS_H
#define SLUICE_TESTS_VECTORS_H

#include "sluice/base/err.h"
#include "sluice/base/json.h"
#include "sluice/shift.h"

struct stage {
	struct engine engine;
	struct pivot pivot;
	bool has_pivot;
	unsigned pivot_guard;
};

/* 0, or -1 and in err the first difference. changed_at 0 stands for null. */
int same_state(const struct json *want, const struct stage *t, int64_t changed_at,
	struct err *err);

#endif
