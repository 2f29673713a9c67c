/*
 * While one thread stores a word again and again, others never load a weight
 * of one store with the latch or the generation of another, never see it go
 * back, and never get a share that its latch or a cutback forbids.
 */
#include "sluice/live.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { STORES = 2000000, READERS = 3 };

static struct live *live;
static struct live_word *word;

/* What the store of this generation holds; each part tells the other two. */
static struct live_value value_of(uint64_t generation)
{
	return (struct live_value){
		.new_ppm = (uint32_t)(generation % 1000001),
		.latch = (enum live_latch)(generation % 3),
		.generation = generation,
	};
}

static void *store_all(void *arg)
{
	for (uint64_t i = 1; i <= STORES; i++)
		live_store(word, value_of(i));
	return arg;
}

static void *load_all(void *arg)
{
	uint64_t before = 0;

	while (before < STORES) {
		struct live_value v = live_load(word);
		struct live_value whole = value_of(v.generation);

		assert(v.new_ppm == whole.new_ppm);
		assert(v.latch == whole.latch);
		assert(v.generation >= before);
		before = v.generation;
	}
	return arg;
}

static void start(pthread_t *thread, void *(*run)(void *))
{
	int rc = pthread_create(thread, NULL, run, NULL);

	assert(rc == 0);
}

static void stores_are_never_torn(void)
{
	pthread_t reader[READERS], writer;

	for (size_t i = 0; i < READERS; i++)
		start(&reader[i], load_all);
	start(&writer, store_all);
	for (size_t i = 0; i < READERS; i++)
		pthread_join(reader[i], NULL);
	pthread_join(writer, NULL);
}

/* As control does it: want, latch, then done. */
static void *cut_back(void *arg)
{
	live_cutback_all(live);
	live_store(
		word, (struct live_value){ .new_ppm = 500000, .latch = LIVE_CUTBACK });
	live_set_cutback_done(live, live_cutback_wanted(live));
	return arg;
}

static void *watch_share(void *arg)
{
	bool cut = false;

	while (live_cutback_done(live) != live_cutback_wanted(live) || !cut) {
		uint32_t ppm = live_effective_ppm(live, word);

		assert(ppm == 0 || (ppm == 500000 && !cut));
		cut = ppm == 0;
	}
	return arg;
}

static void a_cutback_never_lets_go_before_its_latch_holds(void)
{
	pthread_t reader[READERS], writer;

	live_store(word, (struct live_value){ .new_ppm = 500000 });
	for (size_t i = 0; i < READERS; i++)
		start(&reader[i], watch_share);
	start(&writer, cut_back);
	for (size_t i = 0; i < READERS; i++)
		pthread_join(reader[i], NULL);
	pthread_join(writer, NULL);
}

int main(void)
{
	char folder[] = "/tmp/sluice-threads-XXXXXX";
	char path[64];
	struct err err;
	bool fresh;

	if (mkdtemp(folder) == NULL)
		return 1;
	(void)snprintf(path, sizeof(path), "%s/live", folder);
	if (live_open(&live, path, &fresh, &err) != 0) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	(void)unlink(path); /* the map is enough, and an abort leaves nothing */
	(void)rmdir(folder);
	word = live_find(live, "checkout", true);
	assert(word != NULL);
	live_store(word, value_of(0));
	stores_are_never_torn();
	for (unsigned i = 0; i < 200; i++)
		a_cutback_never_lets_go_before_its_latch_holds();
	live_close(live);
	puts("no value was torn, no cutback let go");
	return 0;
}
