/*
 * The arguments, and what the clients say because of them.
 */
#include "load.h"

#include <getopt.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
	"usage: load [options] http[s]://HOST:PORT/PATH\n"
	"\n"
	"  --connections N    at the same time (default 64)\n"
	"  --seconds S        length of the window (default 5)\n"
	"  --warm S           before it (default 1), and until each connection has "
	"had\n"
	"                     --warm-requests N answers (default 1)\n"
	"  --requests N       instead of the window: once it is warm and said begin, "
	"it\n"
	"                     keeps its connections idle until it reads a line, then "
	"sends N\n"
	"  --rate N           requests a second over all connections (default: all "
	"they "
	"can)\n"
	"  --in-turn          connections come one after the other, each after the "
	"answers\n"
	"                     of the one before it\n"
	"  --once             a new connection for each request\n"
	"  --resume           with --once: take up TLS sessions again\n"
	"  --upload BYTES     POST a body of that many bytes\n"
	"  --websocket BYTES  open a tunnel and send messages of that many bytes\n"
	"  --routes N         ask below /r0/ to /r<N-1>/, each connection its own\n"
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

/* One suite only: servers differ in which they like best, and suites in cost. */
static SSL_CTX *new_tls(void)
{
	static const unsigned char alpn[] = "\x08http/1.1";
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());

	if (tls == NULL)
		die("no TLS");
	SSL_CTX_set_verify(tls, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_ciphersuites(tls, "TLS_AES_128_GCM_SHA256");
	SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				      SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(tls, 1);
	SSL_CTX_set_alpn_protos(tls, alpn, sizeof(alpn) - 1);
	return tls;
}

static void read_url(const char *url)
{
	char scheme[8], port[8];

	if (sscanf(url, "%7[a-z]://%127[^:/]:%7[0-9]/%511s", scheme, plan.host, port,
		    plan.path) < 3)
		die("the URL is no http[s]://HOST:PORT/PATH");
	if (strcmp(scheme, "https") == 0)
		plan.tls = new_tls();
	resolve(plan.host, port);
}

struct text plan_request(unsigned i)
{
	static const char tunnel[] = "Upgrade: websocket\r\nConnection: "
				     "Upgrade\r\nSec-WebSocket-Version: 13\r\n"
				     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
	char length[64] = "", route[32] = "";
	struct text request = { .p = NULL };

	if (plan.upload > 0)
		snprintf(length, sizeof(length), "Content-Length: %llu\r\n",
			(unsigned long long)plan.upload);
	if (plan.routes > 0)
		snprintf(route, sizeof(route), "r%llu/",
			(unsigned long long)i * plan.routes / plan.connections);
	int n = asprintf(&request.p, "%s /%s%s HTTP/1.1\r\nHost: %s\r\n%s%s\r\n",
		plan.upload > 0 ? "POST" : "GET", route, plan.path, plan.host, length,
		plan.message_bytes > 0 ? tunnel : "");
	if (n == -1)
		abort();
	request.n = (size_t)n;
	return request;
}

static void take_option(int option)
{
	switch (option) {
	case 'c':
		plan.connections = (unsigned)atoi(optarg);
		break;
	case 's':
		plan.window_s = atof(optarg);
		break;
	case 'w':
		plan.warm_s = atof(optarg);
		break;
	case 'W':
		plan.warm = (unsigned)atoi(optarg);
		break;
	case 'n':
		plan.is_exact = true;
		plan.requests = strtoull(optarg, NULL, 10);
		break;
	case 'r':
		plan.rate = atof(optarg);
		break;
	case 'i':
		plan.in_turn = true;
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
	case 'm':
		plan.message_bytes = strtoull(optarg, NULL, 10);
		break;
	case 'p':
		plan.routes = (unsigned)atoi(optarg);
		break;
	default:
		fputs(usage, stderr);
		exit(2);
	}
}

void plan_read(int argc, char **argv)
{
	static const struct option options[] = {
		{ .name = "connections", .has_arg = required_argument, .val = 'c' },
		{ .name = "seconds", .has_arg = required_argument, .val = 's' },
		{ .name = "warm", .has_arg = required_argument, .val = 'w' },
		{ .name = "warm-requests", .has_arg = required_argument, .val = 'W' },
		{ .name = "requests", .has_arg = required_argument, .val = 'n' },
		{ .name = "rate", .has_arg = required_argument, .val = 'r' },
		{ .name = "in-turn", .has_arg = no_argument, .val = 'i' },
		{ .name = "once", .has_arg = no_argument, .val = 'o' },
		{ .name = "resume", .has_arg = no_argument, .val = 'R' },
		{ .name = "upload", .has_arg = required_argument, .val = 'u' },
		{ .name = "websocket", .has_arg = required_argument, .val = 'm' },
		{ .name = "routes", .has_arg = required_argument, .val = 'p' },
		{ .name = NULL },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		take_option(option);
	if (optind + 1 != argc || plan.connections == 0 || plan.warm == 0 ||
		plan.window_s <= 0) {
		fputs(usage, stderr);
		exit(2);
	}
	if (plan.is_exact && plan.rate > 0)
		die("--requests and --rate are one or the other");
	if (plan.in_turn && plan.rate > 0)
		die("--in-turn and --rate are one or the other");
	if (plan.message_bytes > 60000)
		die("--websocket: at most 60000 bytes");
	if (plan.message_bytes > 0 && plan.upload > 0)
		die("--websocket and --upload are one or the other");
	read_url(argv[optind]);
	if (plan.message_bytes > 0)
		message_make();
}
