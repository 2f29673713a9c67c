/*
 * A struct json is jansson's json_t under another name, so that no other room
 * has to know jansson.
 */
#include "sluice/base/json.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "sluice/base/log.h"
#include "sluice/base/mem.h"
#include "sluice/base/utf8.h"

#include "base_priv.h"

/* jansson tells of a document that could not grow, and many places would have to ask. */
__attribute__((constructor)) static void use_reserve(void)
{
	json_set_alloc_funcs(mem_alloc, free);
}

static json_t *inner(const struct json *j)
{
	return (json_t *)j;
}

static struct json *outer(json_t *j)
{
	return (struct json *)j;
}

static struct json *there(json_t *j)
{
	if (j == NULL) {
		log_error("out of memory", "for=json");
		abort();
	}
	return outer(j);
}

struct json *json_new_object(void)
{
	return there(json_object());
}

struct json *json_new_array(void)
{
	return there(json_array());
}

void json_free(struct json *j)
{
	json_decref(inner(j));
}

/* text with U+FFFD for each byte that is part of no character. */
static json_t *repaired(const char *text, size_t n)
{
	static const char unknown[] = "\xef\xbf\xbd";
	char *clean = mem_alloc(n * (sizeof(unknown) - 1));
	size_t used = 0;

	for (size_t i = 0; i < n;) {
		size_t len = utf8_len(text + i, n - i);
		const char *from = len > 0 ? text + i : unknown;
		size_t from_n = len > 0 ? len : sizeof(unknown) - 1;

		memcpy(clean + used, from, from_n);
		used += from_n;
		i += len > 0 ? len : 1;
	}
	json_t *j = json_stringn_nocheck(clean, used);
	free(clean);
	return j;
}

static json_t *text_value(const char *text)
{
	if (text == NULL)
		return json_null();
	json_t *j = json_string(text);
	return j != NULL ? j : inner(there(repaired(text, strlen(text))));
}

/* JSON has no word for what is not finite: it is written as null. */
static json_t *real_value(double value)
{
	json_t *j = json_real(value);

	return j != NULL ? j : json_null();
}

/* The only failures left are an object that is none and a key that is no
 * UTF-8, and both are written in the source. */
static void put(struct json *object, const char *key, json_t *value)
{
	(void)json_object_set_new(inner(object), key, value);
}

static void add(struct json *array, json_t *value)
{
	(void)json_array_append_new(inner(array), value);
}

void json_put_text(struct json *object, const char *key, const char *text)
{
	put(object, key, text_value(text));
}

void json_put_int(struct json *object, const char *key, int64_t value)
{
	put(object, key, json_integer(value));
}

void json_put_real(struct json *object, const char *key, double value)
{
	put(object, key, real_value(value));
}

void json_put_bool(struct json *object, const char *key, bool value)
{
	put(object, key, json_boolean(value));
}

void json_put(struct json *object, const char *key, struct json *value)
{
	put(object, key, inner(value));
}

void json_add(struct json *array, struct json *value)
{
	add(array, inner(value));
}

void json_add_text(struct json *array, const char *text)
{
	add(array, text_value(text));
}

void json_add_int(struct json *array, int64_t value)
{
	add(array, json_integer(value));
}

void json_add_real(struct json *array, double value)
{
	add(array, real_value(value));
}

const struct json *json_get(const struct json *object, const char *key)
{
	return outer(json_object_get(inner(object), key));
}

const char *json_text(const struct json *object, const char *key, const char *missing)
{
	const char *text = json_string_value(json_object_get(inner(object), key));

	return text != NULL ? text : missing;
}

int64_t json_int(const struct json *object, const char *key, int64_t missing)
{
	const json_t *j = json_object_get(inner(object), key);

	return json_is_integer(j) ? json_integer_value(j) : missing;
}

double json_number(const struct json *object, const char *key, double missing)
{
	const json_t *j = json_object_get(inner(object), key);

	return json_is_number(j) ? json_number_value(j) : missing;
}

bool json_bool(const struct json *object, const char *key, bool missing)
{
	const json_t *j = json_object_get(inner(object), key);

	return json_is_boolean(j) ? json_is_true(j) : missing;
}

bool json_has(const struct json *object, const char *key)
{
	return json_object_get(inner(object), key) != NULL;
}

static bool is_known(const char *key, const char *const *known, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(key, known[i]) == 0)
			return true;
	}
	return false;
}

const char *json_unknown_key(const struct json *j, const char *const *known, size_t n)
{
	json_t *object = inner(j);

	for (void *at = json_object_iter(object); at != NULL;
		at = json_object_iter_next(object, at)) {
		if (!is_known(json_object_iter_key(at), known, n))
			return json_object_iter_key(at);
	}
	return NULL;
}

size_t json_count(const struct json *array)
{
	return json_array_size(inner(array));
}

const struct json *json_at(const struct json *array, size_t i)
{
	return outer(json_array_get(inner(array), i));
}

double json_number_at(const struct json *array, size_t i)
{
	return json_number_value(json_array_get(inner(array), i));
}

char *json_print(const struct json *j)
{
	/* 17 digits bring every double back as it was: decisions are replayed. */
	char *text = json_dumps(
		inner(j), JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));

	return text != NULL ? text : mem_text("null");
}

struct json *json_parse(const char *p, size_t n, struct err *err)
{
	json_error_t why;
	json_t *j = json_loadb(n == 0 ? "" : p, n, JSON_REJECT_DUPLICATES, &why);

	if (j == NULL)
		(void)err_set(err, ERR_FORMAT, "line %d, column %d: %s", why.line,
			why.column, why.text);
	return outer(j);
}
