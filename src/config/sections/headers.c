/*
 * headers - what sluice says of itself in the messages that it passes on.
 */
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

static void check_headers(struct reader *rd, void *base, config_setting_t *s)
{
	const struct config_headers *h = base;

	if (h->via[0] != '\0' && !rules_is_token(h->via, strlen(h->via)))
		problem_at_member(rd, s, "via",
			"expected a token (letters, digits and !#$%%&'*+-.^_`|~), got "
			"\"%.60s\"",
			h->via);
	rules_check_names(rd, h->strip, s, "strip", rules_is_of_frame);
}

const struct table table_headers = {
	TABLE_KEYS(header_keys),
	.check = check_headers,
};
