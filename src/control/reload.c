/*
 * reload - SIGHUP: the file is read, checked and built whole before anything changes;
 * a bad one changes nothing, and status says so (S4).
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
	record_process(c, "reload_refused", "file", c->reload_error, evidence);
	free(evidence);
}

static int load(struct control *c, struct config **config, struct config_problems *p)
{
	if (config_load(config, c->file, p) != 0)
		return -1;
	return config_check_reload(c->config, *config, p) == 0 ? 0 : -1;
}

/* All that can fail. Afterwards the data threads have the new snapshot. */
static int publish(struct control *c, struct config **config, struct snapshot **out,
	struct err *err)
{
	struct snapshot *s = NULL;

	if (control_store_words(c, *config, err) != 0 ||
		snapshot_build(&s, config, c->registry, err) != 0)
		return -1;
	if (admin_configure(c->admin, &snapshot_config(s)->admin, err) != 0)
		goto fail;
	if (proxy_publish(c->proxy, s, err) != 0) {
		(void)admin_configure(c->admin, &c->config->admin, NULL);
		goto fail;
	}
	*out = s;
	return 0;
fail:
	snapshot_unref(s);
	return -1;
}

static void take_over(struct control *c, struct snapshot *s)
{
	struct snapshot *old = c->snapshot;

	c->snapshot = s;
	c->config = snapshot_config(s);
	log_setup((enum log_level)c->config->log_level,
		(enum log_format)c->config->log_format);
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
	record_process(c, "reload", "file", reason, evidence);
	free(evidence);
}

static int attempt(struct control *c, struct config_problems *problems)
{
	struct config *config = NULL;
	struct config_problems changes = { .n = 0 };
	struct snapshot *s = NULL;
	struct err err = { .code = ERR_NONE };

	if (load(c, &config, problems) != 0)
		goto fail;
	config_diff(c->config, config, &changes);
	if (publish(c, &config, &s, &err) != 0) {
		config_problems_add(problems, "%s: %s", c->file, err.text);
		goto fail;
	}
	take_over(c, s);
	tell_done(c, &changes);
	config_problems_fini(&changes);
	return 0;
fail:
	config_problems_fini(&changes);
	config_free(config);
	return -1;
}

void reload(struct control *c)
{
	struct config_problems problems = { .n = 0 };

	if (c->draining)
		return;
	c->hooks->reloading();
	if (attempt(c, &problems) != 0)
		tell_refused(c, &problems);
	config_problems_fini(&problems);
	if (c->ready)
		c->hooks->ready();
}
