/*
 * json - documents made and read through jansson.
 *
 * Values that are put into a container belong to it from then on, also when
 * the call fails. A value got from a container is borrowed and lives as long
 * as the container. Getters never fail: what is missing or of another type
 * reads as the default. (json_object, json_array and json_real would be
 * jansson's own symbols.)
 */
#ifndef SLUICE_BASE_JSON_H
#define SLUICE_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sluice/base/err.h"
#include "sluice/base/mem.h"

struct json;

struct json *json_new_object(void) MUST_USE;
struct json *json_new_array(void) MUST_USE;
void json_free(struct json *j);

/* Bytes that are not UTF-8 are shown as U+FFFD. text may be NULL: then null. */
void json_put_text(struct json *object, const char *key, const char *text);
void json_put_int(struct json *object, const char *key, int64_t value);
void json_put_real(struct json *object, const char *key, double value);
void json_put_bool(struct json *object, const char *key, bool value);
void json_put(struct json *object, const char *key, struct json *value);

void json_add(struct json *array, struct json *value);
void json_add_text(struct json *array, const char *text);
void json_add_int(struct json *array, int64_t value);
void json_add_real(struct json *array, double value);

const struct json *json_get(const struct json *object, const char *key);
const char *json_text(const struct json *object, const char *key, const char *missing);
int64_t json_int(const struct json *object, const char *key, int64_t missing);
double json_number(const struct json *object, const char *key, double missing);
bool json_bool(const struct json *object, const char *key, bool missing);
bool json_has(const struct json *object, const char *key);
/* A key that is none of the n known ones; NULL: there is none, or j is no object. */
const char *json_unknown_key(const struct json *j, const char *const *known, size_t n);

/* Arrays; and an array's element itself as a number. */
size_t json_count(const struct json *array);
const struct json *json_at(const struct json *array, size_t i);
double json_number_at(const struct json *array, size_t i);

/* One line, keys in the order in which they were put. Free with free(). */
char *json_print(const struct json *j) MUST_USE;

/* Free with json_free. NULL and err on anything but exactly one document. */
struct json *json_parse(const char *p, size_t n, struct err *err) MUST_USE;

#endif
