/*
 * listeners - the addresses sluice accepts on.
 */
#include <stdlib.h>
#include <string.h>

#include "config_priv.h"

static const struct key certificate_keys[] = {
	{
		.name = "cert",
		.kind = &kind_file,
		AT(config_certificate, cert_file),
		.text = "certs/make.sh makes certificates for tests",
		.required = true,
		.help = "PEM file with the certificate and the chain above it",
	},
	{
		.name = "key",
		.kind = &kind_file,
		AT(config_certificate, key_file),
		.text = "certs/make.sh makes certificates for tests",
		.required = true,
		.help = "PEM file with its private key",
	},
	{
		.name = "ocsp",
		.kind = &kind_path,
		AT(config_certificate, ocsp_file),
		.help = "DER file with the authority's OCSP response, shown to clients "
			"that ask; missing or out of date is a warning; read again by "
			"a reload",
	},
};

static const struct table table_certificate = {
	TABLE_KEYS(certificate_keys),
	.size = sizeof(struct config_certificate),
};

static void alpn_preset(const struct key *k, void *base)
{
	struct config_listener *l = base;

	(void)k;
	l->alpn_h2 = l->alpn_http1 = true;
}

static void alpn_entry(
	struct reader *rd, config_setting_t *s, struct config_listener *l)
{
	const char *text = text_of_setting(rd, s, "\"h2\" or \"http/1.1\"");

	if (text == NULL)
		return;
	if (strcmp(text, "h2") == 0)
		l->alpn_h2 = true;
	else if (strcmp(text, "http/1.1") == 0)
		l->alpn_http1 = true;
	else
		problem_at(
			rd, s, "expected \"h2\" or \"http/1.1\", got \"%.60s\"", text);
}

static void alpn_read(
	struct reader *rd, const struct key *k, config_setting_t *s, void *base)
{
	struct config_listener *l = base;

	(void)k;
	if (s->type != CONFIG_TYPE_ARRAY && s->type != CONFIG_TYPE_LIST) {
		problem_type(rd, s, "an array, as [ \"h2\", \"http/1.1\" ]");
		return;
	}
	if (config_setting_length(s) == 0) {
		problem_at(rd, s, "is empty: expected \"h2\", \"http/1.1\" or both");
		return;
	}
	l->alpn_h2 = l->alpn_http1 = false;
	for (int i = 0; i < config_setting_length(s); i++)
		alpn_entry(rd, config_setting_get_elem(s, (unsigned)i), l);
}

static void alpn_print(struct printer *p, const struct key *k, const void *base)
{
	const struct config_listener *l = base;

	(void)k;
	fprintf(p->f, "[ %s%s%s ]", l->alpn_h2 ? "\"h2\"" : "",
		l->alpn_h2 && l->alpn_http1 ? ", " : "",
		l->alpn_http1 ? "\"http/1.1\"" : "");
}

static const struct kind kind_alpn = {
	.name = "array of \"h2\", \"http/1.1\"",
	.preset = alpn_preset,
	.read = alpn_read,
	.print = alpn_print,
};

static const struct word versions[] = {
	{ .text = "1.2", .value = CONFIG_TLS_1_2 },
	{ .text = "1.3", .value = CONFIG_TLS_1_3 },
	{ 0 },
};

static const struct word client_verifies[] = {
	{ .text = "require", .value = CONFIG_CLIENT_REQUIRE },
	{ .text = "optional", .value = CONFIG_CLIENT_OPTIONAL },
	{ 0 },
};

static const struct key tls_keys[] = {
	{
		.name = "certificates",
		.kind = &kind_list,
		AT(config_listener, certificates),
		.count_at = offsetof(struct config_listener, n_certificates),
		.table = &table_certificate,
		.low = 1,
		.high = 1000,
		.required = true,
		.help = "chosen by the name a client asks for, and among an ECDSA and "
			"an RSA one with the same names by what it can verify; the "
			"first one is the default",
		.hint = "TLS needs one, as ( { cert = \"web.pem\"; key = \"web.key\"; "
			"} )",
	},
	{
		.name = "min_version",
		.kind = &kind_choice,
		AT(config_listener, min_version),
		.words = versions,
		.preset = CONFIG_TLS_1_2,
		.help = "the oldest TLS that is spoken",
	},
	{
		.name = "client_ca",
		.kind = &kind_file,
		AT(config_listener, client_ca),
		.help = "PEM file with the authorities whose certificates clients "
			"show; empty = clients are not asked",
	},
	{
		.name = "client_verify",
		.kind = &kind_choice,
		AT(config_listener, client_verify),
		.words = client_verifies,
		.preset = CONFIG_CLIENT_REQUIRE,
		.help = "whether a client may come without a certificate; one that is "
			"shown is verified in any case",
	},
	{
		.name = "crl",
		.kind = &kind_file,
		AT(config_listener, crl),
		.help = "PEM file with the lists of what was revoked, one of each "
			"authority in client_ca; out of date refuses all; read again "
			"by a reload",
	},
	{
		.name = "alpn",
		.kind = &kind_alpn,
		.text = "[ \"h2\", \"http/1.1\" ]",
		.help = "the protocols offered; \"h2\" is preferred where a client "
			"offers both",
	},
};

static void check_tls(struct reader *rd, void *base, config_setting_t *s)
{
	struct config_listener *l = base;

	l->tls = true;
	if (*l->crl != '\0' && *l->client_ca == '\0' &&
		problem_is_absent(rd, s, "client_ca"))
		problem_at_member(rd, s, "crl",
			"clients are not asked for certificates: client_ca says whose");
}

static const struct table table_tls = { TABLE_KEYS(tls_keys), .check = check_tls };

static bool has_tls(const void *base)
{
	return ((const struct config_listener *)base)->tls;
}

static bool redirects(const void *base)
{
	return ((const struct config_listener *)base)->redirect;
}

/* 0: not of that form. */
static uint16_t redirect_port(const char *text)
{
	struct span rest = span_of(text);
	struct span scheme = span_cut(&rest, ':');
	uint64_t port = 443;

	if (!span_eq(scheme, SPAN("https")))
		return 0;
	if (rest.p != NULL && !span_u64(rest, &port))
		return 0;
	return port > UINT16_MAX ? 0 : (uint16_t)port;
}

static void redirect_read(
	struct reader *rd, const struct key *k, config_setting_t *s, void *base)
{
	static const char expected[] = "\"https\" or \"https:PORT\"";
	struct config_listener *l = base;
	const char *text = text_of_setting(rd, s, expected);

	(void)k;
	if (text == NULL)
		return;
	l->redirect_port = redirect_port(text);
	l->redirect = l->redirect_port != 0;
	if (!l->redirect)
		problem_type(rd, s, expected);
}

static void redirect_print(struct printer *p, const struct key *k, const void *base)
{
	const struct config_listener *l = base;

	(void)k;
	if (l->redirect_port == 443)
		fputs("\"https\"", p->f);
	else
		fprintf(p->f, "\"https:%u\"", l->redirect_port);
}

static const struct kind kind_redirect = {
	.name = "\"https\" or \"https:PORT\"",
	.read = redirect_read,
	.print = redirect_print,
};

static const struct key listener_keys[] = {
	{
		.name = "name",
		.kind = &kind_name,
		AT(config_listener, name),
		.required = true,
		.help = "what logs and metrics call this listener, as \"web\"",
	},
	{
		.name = "address",
		.kind = &kind_bind_address,
		AT(config_listener, address),
		.required = true,
		.help = "where to listen, as \"0.0.0.0:8443\", \"[::]:8443\" (which is "
			"IPv6 alone) or \"unix:/run/web.sock\"",
	},
	{
		.name = "tls",
		.kind = &kind_group,
		.table = &table_tls,
		.written = has_tls,
		.help = "speak TLS here; without this group, plain HTTP",
	},
	{
		.name = "redirect",
		.kind = &kind_redirect,
		.written = redirects,
		.help = "answer every request with a redirect to https, on that port",
	},
	{
		.name = "proxy_protocol",
		.kind = &kind_switch,
		AT(config_listener, proxy_protocol),
		.help = "each connection begins with a PROXY header (v1 or v2), which "
			"names the client; it is required from peers in trusted, and "
			"any other peer is closed at once",
	},
	{
		.name = "h2c",
		.kind = &kind_switch,
		AT(config_listener, h2c),
		.help = "a plain listener also speaks HTTP/2 with clients that begin "
			"with its preface; on a TLS listener alpn decides",
	},
	{
		.name = "upgrades",
		.kind = &kind_group,
		AT(config_listener, upgrades),
		.table = &table_upgrades,
		.help = "how many tunnels (WebSocket) may begin here",
	},
};

/* An entry that is wrong was named already. */
static bool nobody_is_trusted(const struct config *c, const config_setting_t *listener)
{
	const config_setting_t *root = listener->parent->parent;
	const config_setting_t *trusted = config_setting_get_member(root, "trusted");

	return c->n_trusted == 0 && config_setting_length(trusted) == 0;
}

static void check_h2c(
	struct reader *rd, const struct config_listener *l, config_setting_t *s)
{
	if (l->h2c && l->tls)
		problem_at_member(rd, s, "h2c",
			"is for plain listeners: with TLS, alpn says whether \"h2\" is "
			"spoken");
	else if (l->h2c && l->redirect)
		problem_at_member(rd, s, "h2c",
			"does not go with redirect: browsers speak HTTP/2 only over "
			"TLS");
}

static void check_listener(struct reader *rd, void *base, config_setting_t *s)
{
	const struct config_listener *l = base;

	if (*l->name != '\0')
		(void)problem_unless_first(
			rd, rd->listeners, span_of(l->name), s, "name");
	if (l->address.text != NULL)
		(void)problem_unless_first(
			rd, rd->bound, span_of(l->address.text), s, "address");
	if (config_setting_get_member(s, "redirect") != NULL && l->tls)
		problem_at_member(rd, s, "redirect",
			"a redirect to https cannot itself speak TLS: take out tls or "
			"redirect");
	if (l->proxy_protocol && nobody_is_trusted(rd->c, s))
		problem_at_member(rd, s, "proxy_protocol",
			"would close every client, because trusted is empty: name the "
			"peers that send the header there");
	check_h2c(rd, l, s);
}

static void identify(FILE *f, const void *base)
{
	fputs(((const struct config_listener *)base)->name, f);
}

const struct table table_listener = {
	TABLE_KEYS(listener_keys),
	.size = sizeof(struct config_listener),
	.check = check_listener,
	.identify = identify,
};
