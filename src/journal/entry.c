/*
 * Entries: decisions and samples on their way to the disk. Each is one piece of
 * memory with its texts behind it.
 */
#include <stdlib.h>
#include <string.h>

#include "sluice/base/clock.h"
#include "sluice/base/json.h"
#include "sluice/base/mem.h"

#include "journal_priv.h"

enum { TEXTS = 8 };

/* The fields of a decision that are texts. */
static const char **text_of(struct decision *d, unsigned i)
{
	const char **const fields[TEXTS] = { &d->migration, &d->action, &d->phase_from,
		&d->phase_to, &d->actor, &d->reason, &d->evidence_json,
		&d->config_hash };

	return fields[i];
}

/* PostgreSQL refuses what is no UTF-8, and a refused decision helps nobody. json
 * repairs what is put into it. */
static struct json *repair(struct decision *d)
{
	struct json *texts = json_new_array();

	for (unsigned i = 0; i < TEXTS; i++) {
		const char **text = text_of(d, i);
		struct json *one = json_new_object();

		if (*text == NULL && text != &d->evidence_json)
			*text = "";
		json_put_text(one, "t", *text);
		json_add(texts, one);
		*text = json_text(json_at(texts, i), "t", NULL);
	}
	return texts;
}

static size_t text_bytes(struct decision *d)
{
	size_t bytes = 0;

	for (unsigned i = 0; i < TEXTS; i++)
		if (*text_of(d, i) != NULL)
			bytes += strlen(*text_of(d, i)) + 1;
	return bytes;
}

static void keep_texts(struct decision *d, char *room)
{
	for (unsigned i = 0; i < TEXTS; i++) {
		const char **text = text_of(d, i);

		if (*text == NULL)
			continue;
		size_t bytes = strlen(*text) + 1;

		memcpy(room, *text, bytes);
		*text = room;
		room += bytes;
	}
}

static void keep_states(struct entry *e, const struct journal_state *states, size_t n)
{
	if (n == 0)
		return;
	e->states = mem_alloc(n * sizeof(*states));
	e->n_states = n;
	memcpy(e->states, states, n * sizeof(*states));
	for (size_t i = 0; i < n; i++)
		e->states[i].json = mem_text(states[i].json);
}

struct entry *entry_of_decision(
	const struct decision *d, const struct journal_state *states, size_t n)
{
	struct decision kept = *d;
	struct json *texts = repair(&kept);
	struct entry *e = mem_zero(sizeof(*e) + text_bytes(&kept));

	keep_texts(&kept, e->text);
	json_free(texts);
	if (kept.wall_us == 0)
		kept.wall_us = clock_wall_us();
	if (kept.id[0] == '\0')
		digest_uuid7(kept.wall_us, kept.id);
	e->kind = ENTRY_DECISION;
	e->decision = kept;
	keep_states(e, states, n);
	list_init(&e->link);
	return e;
}

struct entry *entry_of_sample(const struct journal_sample *s)
{
	struct entry *e = mem_zero(sizeof(*e));

	e->kind = ENTRY_SAMPLE;
	e->sample = *s;
	if (e->sample.wall_us == 0)
		e->sample.wall_us = clock_wall_us();
	digest_uuid7(e->sample.wall_us, e->sample_id);
	list_init(&e->link);
	return e;
}

void entry_free(struct entry *e)
{
	if (e == NULL)
		return;
	for (size_t i = 0; i < e->n_states; i++)
		free((char *)e->states[i].json);
	free(e->states);
	free(e);
}

void entry_move_all(struct link *to, struct link *from)
{
	LIST_EACH (from, it, next) {
		list_remove(it);
		list_push(to, it);
	}
}

void entry_free_all(struct link *entries)
{
	LIST_EACH (entries, it, next) {
		list_remove(it);
		entry_free(LIST_ENTRY(it, struct entry, link));
	}
}
