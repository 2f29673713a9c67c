/* Which route a host and path take, and that a naive search says the same. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <string.h>

#include "proxy_priv.h"

enum { ROUTES = 1000, QUERIES = 20000, PATH_MAX_BYTES = 12 };

static struct config_route list[ROUTES];
static char hosts[ROUTES][32], paths[ROUTES][PATH_MAX_BYTES + 1];
static struct config config = { .routes = list };
static struct routes *routes;

static void add(const char *host, const char *path)
{
	size_t n = config.n_routes++;

	(void)snprintf(hosts[n], sizeof(hosts[0]), "%s", host);
	(void)snprintf(paths[n], sizeof(paths[0]), "%s", path);
	list[n] = (struct config_route){
		.host = hosts[n], .path = paths[n], .exact = true
	};
}

static void build(void)
{
	routes = routes_new(&config);
}

static void teardown(void)
{
	routes_free(routes);
}

TestSuite(routes, .fini = teardown, .timeout = 20);

/* "host path" of the route, or "none". */
static const char *found(const char *host, const char *path)
{
	static char text[64];
	const struct config_route *r =
		routes_find(routes, span_of(host), span_of(path));

	if (r == NULL)
		return "none";
	(void)snprintf(text, sizeof(text), "%s %s", r->host, r->path);
	return text;
}

/* --- examples -------------------------------------------------------------------- */

struct asked {
	char host[40], path[40], route[40];
};

ParameterizedTestParameters(routes, the_best_host_and_in_it_the_longest_prefix)
{
	static struct asked cases[] = {
		{ "www.example.net", "/", "www.example.net /" },
		{ "www.example.net", "/shop", "www.example.net /shop" },
		{ "www.example.net", "/shop/cart/1", "www.example.net /shop/cart" },
		{ "www.example.net", "/shop/car", "www.example.net /shop" },
		{ "www.example.net", "/shopping", "www.example.net /" },
		{ "www.example.net", "/shop/", "www.example.net /shop" },
		{ "www.example.net", "/shop/cartoon", "www.example.net /shop" },
		{ "www.example.net", "/img/a.png", "www.example.net /img/" },
		{ "www.example.net", "/img", "www.example.net /" },
		{ "www.example.net", "/beta2/x", "www.example.net /beta" },
		{ "www.example.net", "/sho", "www.example.net /" },
		{ "www.example.net", "/zebra", "www.example.net /" },
		{ "a.example.net", "/", "*.example.net /" },
		{ "a.b.example.net", "/x", "*.b.example.net /" },
		{ "a.c.example.net", "/x", "*.example.net /" },
		{ "example.net", "/only", "* /only" },
		{ "example.net", "/other", "none" },
		{ "example.org", "/only/1", "* /only" },
		{ "api.example.net", "/v1", "api.example.net /v1" },
		{ "api.example.net", "/", "none" },
		{ "", "/only", "* /only" },
		{ "", "/", "none" },
	};

	return cr_make_param_array(
		struct asked, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct asked *c, routes, the_best_host_and_in_it_the_longest_prefix)
{
	add("www.example.net", "/shop");
	add("www.example.net", "/");
	add("www.example.net", "/shop/cart");
	add("www.example.net", "/img/");
	add("www.example.net", "/beta");
	list[config.n_routes - 1].exact = false;
	add("*.example.net", "/");
	add("*.b.example.net", "/");
	add("api.example.net", "/v1");
	add("*", "/only");
	build();

	cr_expect_str_eq(found(c->host, c->path), c->route, "%s%s: %s", c->host,
		c->path, found(c->host, c->path));
}

Test(routes, none_at_all_finds_nothing)
{
	build();

	cr_expect_str_eq(found("www.example.net", "/"), "none");
}

/* --- a thousand of them, against a search that is too simple to be wrong -----------
 */

static uint32_t state = 2463534242;

/* xorshift: the same numbers in every run. */
static uint32_t chance(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state % n;
}

static const char *const some_hosts[] = { "*", "*.net", "*.example.net", "example.net",
	"www.example.net", "a.www.example.net", "*.www.example.net", "net",
	"*.a.www.example.net" };
static const char *const asked_hosts[] = { "", "net", "example.net", "www.example.net",
	"a.www.example.net", "b.www.example.net", "x.a.www.example.net",
	"y.x.a.www.example.net", "example.org", "org.net", "wwwexample.net" };

/* Few letters, so that many paths are prefixes of others. */
static void random_path(char out[static PATH_MAX_BYTES + 1])
{
	size_t n = 1 + chance(PATH_MAX_BYTES);

	out[0] = '/';
	for (size_t i = 1; i < n; i++)
		out[i] = "ab/"[chance(3)];
	out[n] = '\0';
}

static bool is_known(const char *host, const char *path)
{
	for (size_t i = 0; i < config.n_routes; i++) {
		if (strcmp(hosts[i], host) == 0 && strcmp(paths[i], path) == 0)
			return true;
	}
	return false;
}

static void add_random(void)
{
	while (config.n_routes < ROUTES) {
		const char *host = some_hosts[chance(9)];
		char path[PATH_MAX_BYTES + 1];

		random_path(path);
		if (!is_known(host, path))
			add(host, path);
		list[config.n_routes - 1].exact = chance(2) == 0;
	}
}

/* How well a pattern fits a host: 0 not at all. */
static size_t fit_of(const char *pattern, const char *host)
{
	size_t n = strlen(pattern), host_n = strlen(host);

	if (strcmp(pattern, "*") == 0)
		return 1;
	if (pattern[0] != '*')
		return strcmp(pattern, host) == 0 ? 1000 : 0;
	if (host_n < n || strcmp(host + host_n - (n - 1), pattern + 1) != 0)
		return 0;
	return n;
}

static const struct config_route *naive(const char *host, const char *path)
{
	const struct config_route *best = NULL;
	size_t fit = 0;

	for (size_t i = 0; i < config.n_routes; i++) {
		if (fit_of(hosts[i], host) > fit)
			fit = fit_of(hosts[i], host);
	}
	for (size_t i = 0; fit > 0 && i < config.n_routes; i++) {
		size_t n = strlen(paths[i]);
		bool ends = paths[i][n - 1] == '/' || path[n] == '/' || path[n] == '\0';

		if (fit_of(hosts[i], host) == fit && strncmp(paths[i], path, n) == 0 &&
			(ends || !list[i].exact) &&
			(best == NULL || n > strlen(best->path)))
			best = &list[i];
	}
	return best;
}

Test(routes, a_thousand_are_found_as_a_naive_search_finds_them)
{
	unsigned hits = 0;
	add_random();
	build();

	for (unsigned k = 0; k < QUERIES; k++) {
		const char *host = asked_hosts[chance(11)];
		char path[PATH_MAX_BYTES + 1];
		const struct config_route *want, *got;

		random_path(path);
		want = naive(host, path);
		got = routes_find(routes, span_of(host), span_of(path));
		hits += got != NULL;
		cr_assert_eq(got, want, "%s%s: %s, not %s", host, path,
			got != NULL ? got->path : "none",
			want != NULL ? want->path : "none");
	}
	cr_expect_gt(hits, QUERIES / 2);
}
