/*
 * The manner in which a pool's connections are made, as one number: those that were
 * made in another one are good for no request of this pool.
 *
 * A file counts with its time and size, so that a certificate that was replaced in place
 * is shown from the next reload on.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "sluice/base/digest.h"

#include "pool_priv.h"

static char *file_text(const char *file)
{
	struct stat st = { .st_size = 0 };

	if (file == NULL || file[0] == '\0' || stat(file, &st) == -1)
		return mem_text("");
	return mem_print("%s %" PRIu64 " %jd %jd.%09ld", file, (uint64_t)st.st_ino,
		(intmax_t)st.st_size, (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}

static char *tls_text(const struct config_pool *c)
{
	char *ca = file_text(c->tls_ca_file), *cert = file_text(c->tls_cert_file);
	char *key = file_text(c->tls_key_file);
	char *text = mem_print("%d\n%s\n%s\n%s\n%s", c->tls_verify,
		c->tls_server_name != NULL ? c->tls_server_name : "", ca, cert, key);

	free(key);
	free(cert);
	free(ca);
	return text;
}

uint64_t manner_of(const struct config_pool *c)
{
	uint8_t digest[DIGEST_SIZE];
	char *tls = c->tls ? tls_text(c) : mem_text("plain");
	char *all = mem_print("%d %d %s", (int)c->protocol, (int)c->proxy_header, tls);
	uint64_t manner;

	digest_sha256(all, strlen(all), digest);
	memcpy(&manner, digest, sizeof(manner));
	free(all);
	free(tls);
	return manner;
}
