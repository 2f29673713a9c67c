/*
 * A network that is lost without a word: the server's end stays open, in the middle of a
 * batch, and keeps the keys of its rows locked.
 */
#include <criterion/criterion.h>

#include "relay.h"
#include "scene.h"
#include "server.h"

static void setup(void)
{
	server_begin_migrated();
	relay_begin();
}

static void teardown(void)
{
	scene_end();
	relay_end();
}

TestSuite(cut, .init = setup, .fini = teardown, .timeout = 300);

/* More than the batch's first rows, less than the whole of it. */
enum { INTO_THE_BATCH = 40000 };

static void lose_the_network_in_a_batch(bool client_notices)
{
	scene_open(relay_database);
	scene_append_many("checkout", 10);
	scene_until_all_committed();
	scene_until_waiting_is(0);

	relay_cut_after(INTO_THE_BATCH, client_notices);
	scene_append_many("checkout", 1000);
	scene_until(relay_was_cut);
}

Test(cut, the_servers_open_transaction_does_not_stop_the_rows)
{
	lose_the_network_in_a_batch(true);

	server_has_all_of(1010);
}

Test(cut, a_connection_that_says_nothing_any_more_is_given_up)
{
	lose_the_network_in_a_batch(false);

	server_has_all_of(1010);
}
