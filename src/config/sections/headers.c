/*
 * headers - what sluice says of itself in the messages that it passes on.
 */
#include <ctype.h>
#include <string.h>

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

static void check_headers(struct reader *rd, void *base, config_setting_t *s)
{
	const struct config_headers *h = base;

	if (!is_token(h->via))
		problem_at_member(rd, s, "via",
			"expected a token (letters, digits and !#$%%&'*+-.^_`|~), got "
			"\"%.60s\"",
			h->via);
}

const struct table table_headers = {
	TABLE_KEYS(header_keys),
	.check = check_headers,
};
