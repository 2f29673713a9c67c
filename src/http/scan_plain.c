/* Walking over bytes one at a time, for machines without SSE2. */
#include "http_priv.h"

const char *http_scan_token(const char *p, const char *end)
{
	while (p < end && http_is_token_byte(*p))
		p++;
	return p;
}

const char *http_scan_value(const char *p, const char *end)
{
	while (p < end && (((unsigned char)*p >= ' ' && *p != 0x7f) || *p == '\t'))
		p++;
	return p;
}

const char *http_scan_target(const char *p, const char *end)
{
	while (p < end && (unsigned char)*p > ' ' && (unsigned char)*p < 0x7f &&
		*p != '#' && *p != '?')
		p++;
	return p;
}
