/*
 * Building a fixture and taking it down again.
 */
#include "fixture.h"

#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sluice/base/mem.h"
#include "sluice/net/loop.h"
#include "sluice/pool/stats.h"

static char *config_text(unsigned migrations)
{
	unsigned pairs = migrations > 0 ? migrations : 1;
	char *text = mem_alloc(512 + pairs * (size_t)600);
	char *end = text;

	end += sprintf(end,
		"listeners = ( { name = \"web\"; address = \"127.0.0.1:1\"; } );"
		"pools = {");
	for (unsigned i = 0; i < pairs; i++)
		end += sprintf(end,
			"legacy%u = { servers = ( { address = \"127.0.0.1:9001\"; }, "
			"{ address = \"127.0.0.1:9002\"; } ); };"
			"new%u = { servers = ( { address = \"127.0.0.1:9101\"; } ); };",
			i, i);
	end += sprintf(end, "}; migrations = {");
	for (unsigned i = 0; i < migrations; i++)
		end += sprintf(end,
			"m%u = { legacy = \"legacy%u\"; new = \"new%u\"; "
			"weights = { legacy = 75; new = 25; }; };",
			i, i, i);
	end += sprintf(end, "}; routes = ( { host = \"*\"; path = \"/\"; %s } );",
		migrations > 0 ? "migration = \"m0\";" : "pool = \"new0\";");
	return text;
}

static void load_config(struct fixture *s, unsigned migrations)
{
	struct config_problems problems = { .n = 0 };
	char *text = config_text(migrations);
	int rc = config_load_text(
		&s->config, "/test/sluice.conf", text, strlen(text), &problems);

	cr_assert_eq(rc, 0, "%s", problems.n > 0 ? problems.text[0] : "");
	config_problems_fini(&problems);
	free(text);
	free(s->config->admin.socket);
	s->config->admin.socket = mem_text(s->socket);
	s->config->admin.mode = 0600;
	free(s->config->journal.path);
	s->config->journal.path = mem_print("%s/journal.db", s->folder);
}

static void make_objects(struct fixture *s)
{
	struct config *c = s->config;
	struct err err = { .code = ERR_NONE };
	char path[FIXTURE_PATH + 16];
	bool fresh;

	snprintf(path, sizeof(path), "%s/live", s->folder);
	cr_assert_eq(live_open(&s->live, path, &fresh, &err), 0, "%s", err.text);
	s->registry = registry_new(2, s->live);
	s->pools = mem_zero((c->n_pools + 1) * sizeof(struct pool *));
	s->migrations = mem_zero((c->n_migrations + 1) * sizeof(struct migration *));
	for (size_t i = 0; i < c->n_pools; i++) {
		cr_assert_eq(pool_load(&s->pools[i], &c->pools[i], &err), 0);
		pool_bind(s->pools[i], s->registry);
	}
	for (size_t i = 0; i < c->n_migrations; i++)
		s->migrations[i] =
			registry_migration(s->registry, c->migrations[i].name);
	s->stats = stats_new(2);
}

static void make_state(struct fixture *s)
{
	struct guard_params absolute = guard_defaults(), relative = guard_defaults();
	struct guard_params pivoted;
	struct engine_params params = engine_defaults();

	relative.relative = true;
	relative.observe = true;
	pivoted = relative;
	pivoted.rho = 1.0;
	s->state = (struct shift_state){ .phase = SHIFT_RUNNING, .step = 1 };
	s->plan = (struct shift_plan){
		.n_steps = 2,
		.step = { { .new_ppm = 50000, .hold_ms = 1000, .timeout_ms = 2000 },
			{ .new_ppm = 250000, .hold_ms = 1000, .timeout_ms = 2000 } },
	};
	engine_init(&s->engine, &params,
		(struct guard_params[]){ absolute, absolute, relative, pivoted }, 4);
	engine_start(&s->engine);
}

static void ignore_commit(void *arg, uint64_t seq)
{
	(void)arg;
	(void)seq;
}

static void ignore_status(void *arg, const struct journal_status *status)
{
	(void)arg;
	(void)status;
}

static void open_journal(struct fixture *s)
{
	struct journal_owner owner = {
		.loop = s->loop,
		.on_committed = ignore_commit,
		.on_status = ignore_status,
	};
	enum journal_found found;
	struct err err = { .code = ERR_NONE };

	cr_assert_eq(
		journal_open(&s->journal, &s->config->journal, &owner, &found, &err), 0,
		"%s", err.text);
	cr_assert_eq(journal_start(s->journal, NULL), 0);
}

static void stop(void *arg)
{
	net_loop_stop(arg);
}

struct fixture *fixture_open(unsigned migrations)
{
	struct fixture *s = mem_zero(sizeof(*s));

	snprintf(s->folder, sizeof(s->folder), "/tmp/sluice-admin-XXXXXX");
	cr_assert_not_null(mkdtemp(s->folder));
	snprintf(s->socket, sizeof(s->socket), "%s/sock", s->folder);
	s->reply_outcome = ADMIN_DONE;
	s->ready = true;
	s->loop = net_loop_new(64);
	s->stopper = net_waker_new(s->loop, stop, s->loop);
	load_config(s, migrations);
	make_objects(s);
	make_state(s);
	open_journal(s);
	return s;
}

struct config_admin *fixture_config(struct fixture *s)
{
	return &s->config->admin;
}

uint16_t fixture_listen(struct fixture *s)
{
	struct config_address *a = &s->config->admin.listen;
	struct sockaddr_in in = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_eq(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	close(fd);
	s->config->admin.has_listen = true;
	a->text = mem_print("127.0.0.1:%u", ntohs(in.sin_port));
	a->sa.in4 = in;
	a->sa_len = sizeof(in);
	return ntohs(in.sin_port);
}

static void *run(void *arg)
{
	net_loop_run(((struct fixture *)arg)->loop);
	return NULL;
}

void fixture_start(struct fixture *s)
{
	struct admin_ops ops;
	struct err err = { .code = ERR_NONE };

	fixture_fill_ops(s, &ops);
	cr_assert_eq(admin_open(&s->admin, s->loop, &s->config->admin, &ops, &err), 0,
		"%s", err.text);
	cr_assert_eq(pthread_create(&s->thread, NULL, run, s), 0);
}

static void remove_files(struct fixture *s)
{
	char command[2 * FIXTURE_PATH];

	snprintf(command, sizeof(command), "rm -r %s", s->folder);
	cr_assert_eq(system(command), 0);
}

static void free_objects(struct fixture *s)
{
	for (size_t i = 0; i < s->config->n_pools; i++)
		pool_free(s->pools[i]);
	for (size_t i = 0; i < s->config->n_migrations; i++)
		migration_unref(s->registry, s->migrations[i]);
	free(s->pools);
	free(s->migrations);
	registry_free(s->registry);
	live_close(s->live);
	stats_free(s->stats);
}

void fixture_close(struct fixture *s)
{
	if (s->admin != NULL) {
		net_wake(s->stopper);
		pthread_join(s->thread, NULL);
		admin_close(s->admin);
	}
	journal_close(s->journal, 0);
	net_waker_free(s->stopper);
	net_loop_free(s->loop);
	free_objects(s);
	config_free(s->config);
	remove_files(s);
	free(s);
}
