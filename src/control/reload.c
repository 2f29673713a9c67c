/*
 * reload - SIGHUP: the file is read, checked and built whole before anything changes;
 * a bad one changes nothing, and status says so, S4 (a refused reload).
 *
 * The loader reads; here, on control, is only what a slow disk cannot hold up.
 *
 * What fails after the first change is taken back, so a reload is all or nothing up
 * to the moment when the data threads get the new snapshot.
 */
#include <stdio.h>
#include <stdlib.h>

#include "sluice/base/json.h"
#include "sluice/base/log.h"
#include "sluice/base/mem.h"
#include "sluice/control.h"
#include "sluice/health.h"
#include "sluice/proxy.h"

#include "control_priv.h"

static char *lines_json(const char *key, const struct config_problems *lines)
{
	struct json *j = json_new_object();
	struct json *list = json_new_array();

	for (size_t i = 0; i < lines->n; i++)
		json_add_text(list, lines->text[i]);
	json_put(j, key, list);
	char *text = json_print(j);

	json_free(j);
	return text;
}

static void tell_refused(struct control *c, const struct config_problems *problems)
{
	const char *first = problems->n > 0 ? problems->text[0] : "unknown reason";
	char *evidence = lines_json("problems", problems);

	free(c->reload_error);
	c->reload_error =
		problems->n > 1 ? mem_print("%s (and %zu more)", first, problems->n - 1)
				: mem_text(first);
	c->running_is_file = false;
	for (size_t i = 0; i < problems->n; i++)
		log_error("configuration problem", "problem=%s", problems->text[i]);
	log_error("reload refused, the running configuration goes on", "problems=%zu",
		problems->n);
	record_process(c, DECISION_RELOAD_REFUSED, (struct actor){ ACTOR_FILE, NULL },
		c->reload_error, evidence);
	free(evidence);
}

/* All that can fail. Afterwards the data threads have the new snapshot. */
static int publish(struct control *c, struct snapshot *s, struct err *err)
{
	const struct config *config = snapshot_config(s);

	if (descriptors_check(config, err) != 0 ||
		control_store_words(c, config, err) != 0)
		return -1;
	snapshot_bind(s, c->registry);
	if (admin_configure(c->admin, &config->admin, err) != 0)
		return -1;
	if (proxy_publish(c->proxy, s, err) != 0) {
		(void)admin_configure(c->admin, &c->config->admin, NULL);
		return -1;
	}
	return 0;
}

static void take_over(struct control *c, struct loaded *l)
{
	struct snapshot *s = l->snapshot, *old = c->snapshot;

	l->snapshot = NULL;
	admin_know_users(c->admin, l->users);
	l->users = NULL;
	c->snapshot = s;
	c->config = snapshot_config(s);
	log_setup((enum log_level)c->config->log_level,
		(enum log_format)c->config->log_format);
	descriptors_share(c);
	tracks_follow(c);
	health_update(c->health, snapshot_pools(s), c->config->n_pools);
	journal_configure(c->journal, &c->config->journal);
	proxy_nudge(c->proxy);
	snapshot_unref(old);
}

static void tell_done(struct control *c, const struct config_problems *changes)
{
	char *evidence = lines_json("changes", changes);
	char reason[96];

	c->running_is_file = true;
	free(c->reload_error);
	c->reload_error = NULL;
	for (size_t i = 0; i < changes->n; i++)
		log_info("setting changed", "change=%s", changes->text[i]);
	log_info("configuration reloaded", "file=%s hash=%.12s changes=%zu", c->file,
		c->config->hash, changes->n);
	(void)snprintf(reason, sizeof(reason), "%zu setting%s changed", changes->n,
		changes->n == 1 ? "" : "s");
	tracks_hear_file(c);
	record_process(c, DECISION_RELOAD, (struct actor){ ACTOR_FILE, NULL }, reason,
		evidence);
	free(evidence);
}

static int attempt(struct control *c, struct loaded *l)
{
	struct config_problems changes = { .n = 0 };
	struct err err = { .code = ERR_NONE };

	if (!l->snapshot)
		return -1;

	const struct config *config = snapshot_config(l->snapshot);

	if (config_check_reload(c->config, config, &l->problems) != 0 ||
		roles_check_reload(c, config, &l->problems) != 0)
		return -1;
	config_diff(c->config, config, &changes);
	if (publish(c, l->snapshot, &err) != 0) {
		config_problems_add(&l->problems, "%s: %s", c->file, err.text);
		config_problems_fini(&changes);
		return -1;
	}
	take_over(c, l);
	tell_done(c, &changes);
	config_problems_fini(&changes);
	return 0;
}

void reload_finish(void *control, struct loaded *l)
{
	struct control *c = control;

	if (c->draining)
		return;
	if (attempt(c, l) != 0)
		tell_refused(c, &l->problems);
	if (c->ready)
		c->notify->ready();
}

void reload_ask(struct control *c)
{
	if (c->draining)
		return;
	c->notify->reloading();
	loader_ask(c->loader);
}
