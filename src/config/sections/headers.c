/*
 * headers - what sluice says of itself in the messages that it passes on.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "config_priv.h"

static const struct key header_keys[] = {
	{
		.name = "via",
		.kind = &kind_text,
		AT(config_headers, via),
		.high = 64,
		.help = "the name under which sluice adds itself to Via, in requests "
			"and responses; a token, as \"sluice\"; empty = no Via",
	},
	{
		.name = "forwarded",
		.kind = &kind_switch,
		AT(config_headers, forwarded),
		.help = "send servers Forwarded (RFC 7239) beside X-Forwarded-*",
	},
	{
		.name = "strip",
		.kind = &kind_text,
		AT(config_headers, strip),
		.text = "X-Real-IP X-Client-IP True-Client-IP X-Forwarded-Port "
			"X-Forwarded-Prefix X-Forwarded-Server X-Forwarded-Ssl "
			"X-Forwarded-Client-Cert X-Original-URL X-Rewrite-URL",
		.high = 2048,
		.help = "fields by which a client could say who it is or what it asks "
			"for: servers get them from trusted peers alone; names with "
			"blanks between them, _ is as good as -",
	},
};

/* RFC 9110, 5.6.2: what may stand in a header without quotes. */
static bool is_token(const char *text)
{
	for (; *text != '\0'; text++)
		if (!isalnum((unsigned char)*text) &&
			strchr("!#$%&'*+-.^_`|~", *text) == NULL)
			return false;
	return true;
}

/* Names that are the message's own are not for this list. */
static bool may_go(const char *word, size_t n)
{
	static const char *const own[] = { "host", "content-length", "connection",
		"transfer-encoding", "upgrade", "te", "trailer", "expect" };

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		if (strlen(own[i]) == n && strncasecmp(own[i], word, n) == 0)
			return false;
	}
	return true;
}

static void check_strip(struct reader *rd, const char *names, config_setting_t *s)
{
	static const char between[] = " \t,";

	for (const char *p = names; *(p += strspn(p, between)) != '\0';) {
		size_t n = strcspn(p, between);
		char word[64];

		(void)snprintf(word, sizeof(word), "%.*s", (int)n, p);
		if (n >= sizeof(word) || !is_token(word) || !may_go(word, n))
			problem_at_member(rd, s, "strip",
				"expected names of fields that a message can do "
				"without, got \"%.60s\"",
				word);
		p += n;
	}
}

static void check_headers(struct reader *rd, void *base, config_setting_t *s)
{
	const struct config_headers *h = base;

	if (!is_token(h->via))
		problem_at_member(rd, s, "via",
			"expected a token (letters, digits and !#$%%&'*+-.^_`|~), got "
			"\"%.60s\"",
			h->via);
	check_strip(rd, h->strip, s);
}

const struct table table_headers = {
	TABLE_KEYS(header_keys),
	.check = check_headers,
};
