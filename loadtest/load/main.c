/*
 * The load program: arguments, the window, the report. See load.h.
 *
 * It prints 'begin' when the window opens and 'end' when it closes, so that
 * whoever started it can measure the server over exactly that time.
 */
#include "load.h"

#include <getopt.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/base/hist.h"

struct ev_loop *loop;
struct plan plan = { .connections = 64 };
struct tally tally;

static double warm_seconds = 1, window_seconds = 5, began;
static struct ev_timer window;

static const char usage[] =
	"usage: load [options] http[s]://HOST:PORT/PATH\n"
	"\n"
	"  --connections N  at the same time (default 64)\n"
	"  --seconds S      length of the window (default 5)\n"
	"  --warm S         before it (default 1)\n"
	"  --rate N         requests a second over all connections (default: all they "
	"can)\n"
	"  --once           a new connection for each request\n"
	"  --resume         with --once: take up TLS sessions again\n"
	"  --upload BYTES   POST a body of that many bytes\n"
	"\n"
	"It prints begin, end, and one JSON object.\n";

static void die(const char *why)
{
	fprintf(stderr, "load: %s\n", why);
	exit(2);
}

static void resolve(const char *host, const char *port)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *at = NULL;

	if (getaddrinfo(host, port, &hints, &at) != 0)
		die("cannot resolve the host");
	memcpy(&plan.address, at->ai_addr, at->ai_addrlen);
	plan.address_len = at->ai_addrlen;
	freeaddrinfo(at);
}

static SSL_CTX *new_tls(void)
{
	static const unsigned char alpn[] = "\x08http/1.1";
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());

	if (tls == NULL)
		die("no TLS");
	SSL_CTX_set_verify(tls, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				      SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(tls, 1);
	SSL_CTX_set_alpn_protos(tls, alpn, sizeof(alpn) - 1);
	return tls;
}

static void read_url(const char *url)
{
	char scheme[8], port[8], path[512] = "";
	char length[64] = "";

	if (sscanf(url, "%7[a-z]://%127[^:/]:%7[0-9]/%511s", scheme, plan.host, port,
		    path) < 3)
		die("the URL is no http[s]://HOST:PORT/PATH");
	if (strcmp(scheme, "https") == 0)
		plan.tls = new_tls();
	resolve(plan.host, port);
	if (plan.upload > 0)
		snprintf(length, sizeof(length), "Content-Length: %llu\r\n",
			(unsigned long long)plan.upload);
	int n = asprintf(&plan.head, "%s /%s HTTP/1.1\r\nHost: %s\r\n%s\r\n",
		plan.upload > 0 ? "POST" : "GET", path, plan.host, length);
	if (n == -1)
		abort();
	plan.head_n = (size_t)n;
}

static void take_option(int option)
{
	switch (option) {
	case 'c':
		plan.connections = (unsigned)atoi(optarg);
		break;
	case 's':
		window_seconds = atof(optarg);
		break;
	case 'w':
		warm_seconds = atof(optarg);
		break;
	case 'r':
		plan.rate = atof(optarg);
		break;
	case 'o':
		plan.once = true;
		break;
	case 'R':
		plan.resume = true;
		break;
	case 'u':
		plan.upload = strtoull(optarg, NULL, 10);
		break;
	default:
		fputs(usage, stderr);
		exit(2);
	}
}

static void read_arguments(int argc, char **argv)
{
	static const struct option options[] = {
		{ .name = "connections", .has_arg = required_argument, .val = 'c' },
		{ .name = "seconds", .has_arg = required_argument, .val = 's' },
		{ .name = "warm", .has_arg = required_argument, .val = 'w' },
		{ .name = "rate", .has_arg = required_argument, .val = 'r' },
		{ .name = "once", .has_arg = no_argument, .val = 'o' },
		{ .name = "resume", .has_arg = no_argument, .val = 'R' },
		{ .name = "upload", .has_arg = required_argument, .val = 'u' },
		{ .name = NULL },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		take_option(option);
	if (optind + 1 != argc || plan.connections == 0 || window_seconds <= 0) {
		fputs(usage, stderr);
		exit(2);
	}
	read_url(argv[optind]);
}

static void say(const char *what)
{
	puts(what);
	fflush(stdout);
}

static void on_window(struct ev_loop *l, struct ev_timer *w, int events)
{
	(void)events;
	if (tally.counting) {
		ev_break(l, EVBREAK_ALL);
		return;
	}
	say("begin");
	tally.counting = true;
	began = ev_time();
	ev_timer_set(w, window_seconds, 0);
	ev_timer_start(l, w);
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	read_arguments(argc, argv);
	loop = ev_default_loop(0);
	tally.latency = hist_new();
	clients_start();
	ev_timer_init(&window, on_window, warm_seconds, 0);
	ev_timer_start(loop, &window);
	ev_run(loop, 0);
	double seconds = ev_time() - began;
	say("end");
	report_print(seconds);
	return tally.requests == 0;
}
