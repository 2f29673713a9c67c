/*
 * OpenSSL over a loop's own buffers.
 *
 * OpenSSL's socket BIO reads a record with two recv and sends each record by
 * itself. Here the connections of a loop share one BIO and two buffers behind it: one
 * recv takes what the socket has (as much as the reader can use), however many records
 * that is, and all records of a write leave in one send. Between two calls the shared
 * buffers are empty: what TLS did not look at yet is put aside with the connection, and
 * so is what the kernel did not take.
 *
 * The kernel's own TLS is not asked for: it would encrypt the same bytes on the same
 * processor, OpenSSL would hand it one record a send where all of a write leaves at
 * once here, and only young kernels can change keys (RFC 8446, 4.6.3), which a peer may
 * ask for at any time.
 */
#include <assert.h>
#include <errno.h>
#include <linux/sock_diag.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "tls/tls_priv.h"

/* A write takes so much plaintext at most, and not more than SURPLUS that the socket has
 * no room for: that, and what records add to it, is what waits with a connection. */
enum { WRITE_BYTES = 131072, SURPLUS = 65536 };
enum { IN_BYTES = 131072, OUT_BYTES = WRITE_BYTES + 32768 };

struct tls_io {
	BIO *bio;              /* every connection's, for reading and writing */
	struct net_conn *conn; /* whose call is under way */
	size_t in_at, in_n;    /* what the BIO has to give: in + in_at, in_n bytes */
	size_t ask; /* how much a recv may take now; 0: not again in this call */
	size_t out_n;
	struct tls_sessions *sessions; /* made with the first server */
	char in[IN_BYTES], out[OUT_BYTES];
};

/* One recv at most in a call: a short one has emptied the socket, and a full one is
 * followed by another event. */
static int fill(struct net_conn *c, struct tls_io *io)
{
	size_t ask = io->ask;
	ssize_t got;

	if (ask == 0)
		return NET_AGAIN;
	io->ask = 0;
	do {
		got = recv(c->io.fd, io->in, ask, 0);
	} while (got == -1 && errno == EINTR);
	if (got == -1)
		return errno == EAGAIN ? NET_AGAIN : NET_BROKEN;
	if (got == 0) {
		c->eof = true;
		return NET_EOF;
	}
	io->in_at = 0;
	io->in_n = (size_t)got;
	return (int)got;
}

static int bio_read(BIO *b, char *p, int n)
{
	struct tls_io *io = BIO_get_data(b);
	size_t take = (size_t)n;

	BIO_clear_retry_flags(b);
	if (io->in_n == 0) {
		int got = fill(io->conn, io);

		if (got == NET_AGAIN)
			BIO_set_retry_read(b);
		if (got <= 0)
			return got == NET_EOF ? 0 : -1;
	}
	if (take > io->in_n)
		take = io->in_n;
	memcpy(p, io->in + io->in_at, take);
	io->in_at += take;
	io->in_n -= take;
	return (int)take;
}

static int bio_write(BIO *b, const char *p, int n)
{
	struct tls_io *io = BIO_get_data(b);

	BIO_clear_retry_flags(b);
	if ((size_t)n > sizeof(io->out) - io->out_n)
		return -1; /* a flight of more than a certificate chain can be */
	memcpy(io->out + io->out_n, p, (size_t)n);
	io->out_n += (size_t)n;
	return n;
}

static long bio_ctrl(BIO *b, int cmd, long num, void *ptr)
{
	const struct tls_io *io = BIO_get_data(b);

	(void)num;
	(void)ptr;
	switch (cmd) {
	case BIO_CTRL_FLUSH:
		return 1;
	case BIO_CTRL_EOF:
		return io->conn->eof;
	default:
		return 0;
	}
}

static BIO_METHOD *method;

/* Made once, before main: threads may attach at the same time. */
__attribute__((constructor)) static void make_method(void)
{
	method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "sluice");
	BIO_meth_set_read(method, bio_read);
	BIO_meth_set_write(method, bio_write);
	BIO_meth_set_ctrl(method, bio_ctrl);
}

__attribute__((destructor)) static void free_method(void)
{
	BIO_meth_free(method);
}

/* With the loop's first TLS connection. */
static struct tls_io *tls_io_new(void)
{
	struct tls_io *io = mem_try(sizeof(*io));

	if (io == NULL)
		return NULL;
	memset(io, 0, offsetof(struct tls_io, in));
	io->bio = BIO_new(method);
	if (io->bio == NULL) {
		free(io);
		return NULL;
	}
	BIO_set_data(io->bio, io);
	BIO_set_init(io->bio, 1);
	return io;
}

void tls_io_free(struct tls_io *io)
{
	if (io == NULL)
		return;
	BIO_free(io->bio);
	tls_sessions_free(io->sessions);
	free(io);
}

struct net_conn *tls_conn_of(const SSL *ssl)
{
	const struct tls_io *io = BIO_get_data(SSL_get_rbio(ssl));

	return io->conn;
}

struct tls_sessions **tls_sessions_of(const struct net_conn *c)
{
	return &c->loop->tls_io->sessions;
}

int tls_attach(struct net_conn *c, struct net_tls *t, const char *server_name)
{
	if (c->loop->tls_io == NULL)
		c->loop->tls_io = tls_io_new();
	if (c->loop->tls_io == NULL)
		return -1;
	c->ssl = tls_new_ssl(t, c->accepted, server_name);
	if (c->ssl == NULL)
		return -1;
	c->tls = net_tls_ref(t);
	(void)BIO_up_ref(c->loop->tls_io->bio); /* one for both directions */
	SSL_set_bio(c->ssl, c->loop->tls_io->bio, c->loop->tls_io->bio);
	if (!c->accepted)
		tls_sessions_offer(c, server_name);
	return 0;
}

/* What an earlier call left comes first. A read may take ask bytes more. */
static struct tls_io *begin(struct net_conn *c, size_t ask)
{
	struct tls_io *io = c->loop->tls_io;

	assert(io->in_n == 0 && io->out_n == 0);
	io->conn = c;
	io->ask = ask < sizeof(io->in) ? ask : sizeof(io->in);
	if (c->prefetched_n > 0) {
		memcpy(io->in, c->prefetched, c->prefetched_n);
		io->in_at = 0;
		io->in_n = c->prefetched_n;
		free(c->prefetched);
		c->prefetched = NULL;
		c->prefetched_n = 0;
		io->ask = 0;
	}
	return io;
}

/* Keeps n bytes behind what already waits; false: no memory. */
static bool keep_out(struct net_conn *c, const char *p, size_t n)
{
	char *all = mem_try(c->out_n + n);

	if (all == NULL)
		return false;
	if (c->out_n > 0)
		memcpy(all, c->out + c->out_at, c->out_n);
	memcpy(all + c->out_n, p, n);
	free(c->out);
	c->out = all;
	c->out_at = 0;
	c->out_n += (uint32_t)n;
	return true;
}

/* What a write leaves is bounded by what one may take. More than that comes of a peer
 * that makes us answer (RFC 8446, 4.6.3: KeyUpdate) and does not read. */
enum { KEPT_MAX = OUT_BYTES + 65536 };

static int send_records(struct net_conn *c, struct tls_io *io)
{
	size_t at = 0, n = io->out_n;

	io->out_n = 0;
	while (at < n && c->out_n == 0) {
		ssize_t put = send(c->io.fd, io->out + at, n - at, MSG_NOSIGNAL);

		if (put == -1 && errno == EINTR)
			continue;
		if (put == -1 && errno != EAGAIN)
			return NET_BROKEN;
		if (put == -1)
			break;
		at += (size_t)put;
	}
	if (c->out_n + (n - at) > KEPT_MAX)
		return NET_BROKEN;
	if (at < n && !keep_out(c, io->out + at, n - at))
		return NET_BROKEN;
	return 0;
}

/* Leaves the shared buffers empty; 0 or NET_BROKEN. */
static int finish(struct net_conn *c, struct tls_io *io)
{
	size_t in_n = io->in_n;

	io->in_n = 0;
	if (in_n > 0) {
		c->prefetched = mem_try(in_n);
		if (c->prefetched == NULL) {
			io->out_n = 0;
			return NET_BROKEN;
		}
		memcpy(c->prefetched, io->in + io->in_at, in_n);
		c->prefetched_n = (uint32_t)in_n;
	}
	return io->out_n > 0 ? send_records(c, io) : 0;
}

/* OpenSSL's queue of errors is the thread's: what one connection leaves there the next
 * one would take for its own. So it is empty between two calls, always, and need not be
 * emptied before each. */
static void give_up(struct net_conn *c)
{
	c->tls_dead = true;
	ERR_clear_error();
}

/* The first bytes were a request's. OpenSSL knows four methods, the others by their
 * being capitals where a record's type is to stand; neither gets an alert. */
static bool is_http(const struct net_conn *c, const struct tls_io *io)
{
	int why = ERR_GET_REASON(ERR_peek_error());

	return c->accepted &&
	       (why == SSL_R_HTTP_REQUEST || why == SSL_R_HTTPS_PROXY_REQUEST ||
		       (why == SSL_R_WRONG_VERSION_NUMBER && io->in[0] >= 'A' &&
			       io->in[0] <= 'Z'));
}

enum tls_step tls_handshake(struct net_conn *c)
{
	struct tls_io *io = begin(c, sizeof(io->in));
	int done = SSL_do_handshake(c->ssl);
	int error = done == 1 ? SSL_ERROR_NONE : SSL_get_error(c->ssl, done);
	int left = finish(c, io); /* the last flight, or the alert that says why not */
	bool http;

	c->more = c->prefetched_n > 0;
	if (left == 0 && done == 1) {
		ERR_clear_error(); /* what did not matter in the end */
		return TLS_DONE;
	}
	if (left == 0 && error == SSL_ERROR_WANT_READ)
		return TLS_WAIT;
	if (!c->accepted)
		tls_sessions_forget(c); /* perhaps that was why */
	http = is_http(c, io);
	give_up(c);
	return http ? TLS_IS_HTTP : TLS_FAILED;
}

/* A server that ends without saying so in TLS: anybody on the path can send a FIN, and
 * the end may be all that frames an answer (RFC 9112, 9.8). Clients' requests frame
 * themselves, and many clients just close. */
static bool was_cut_off(const struct net_conn *c)
{
	return c->eof && !c->accepted;
}

/* What stands behind a read that gave nothing. */
static ssize_t read_end(struct net_conn *c, int result)
{
	switch (SSL_get_error(c->ssl, result)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return NET_AGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return was_cut_off(c) ? NET_BROKEN : NET_EOF;
	default:
		give_up(c);
		return c->eof && c->accepted ? NET_EOF : NET_BROKEN;
	}
}

ssize_t tls_read(struct net_conn *c, void *p, size_t n)
{
	struct tls_io *io = begin(c, n);
	size_t have = 0;
	ssize_t end = NET_AGAIN;

	if (n > INT32_MAX)
		n = INT32_MAX;
	while (have < n) {
		int got = SSL_read(c->ssl, (char *)p + have, (int)(n - have));

		if (got <= 0) {
			end = read_end(c, got);
			break;
		}
		have += (size_t)got;
		if (io->in_n == 0 && SSL_pending(c->ssl) == 0 && io->ask == 0)
			break; /* all of it: no need to hear that from OpenSSL */
	}
	if (finish(c, io) == NET_BROKEN && have == 0)
		return NET_BROKEN;
	/* Reading makes TLS speak too (to each KeyUpdate, to a renegotiation), and a peer
	 * that sends those and reads nothing would have us keep it all. */
	if (c->out_n > OUT_BYTES) {
		c->tls_dead = true;
		return NET_BROKEN;
	}
	/* An end behind the last bytes is told by the next read: the peer need not
	 * close its socket before we do. */
	c->more = have == n || (have > 0 && end != NET_AGAIN);
	if (c->out_n > 0)
		conn_arm(c);
	return have > 0 ? (ssize_t)have : end;
}

/* What the socket can take. Half of what is free is the kernel's own bookkeeping. */
static size_t room_of(const struct net_conn *c)
{
	uint32_t mem[SK_MEMINFO_VARS] = { 0 };
	socklen_t n = sizeof(mem);

	if (getsockopt(c->io.fd, SOL_SOCKET, SO_MEMINFO, mem, &n) == -1 ||
		mem[SK_MEMINFO_SNDBUF] < mem[SK_MEMINFO_WMEM_QUEUED])
		return 0;
	return (mem[SK_MEMINFO_SNDBUF] - mem[SK_MEMINFO_WMEM_QUEUED]) / 2;
}

size_t tls_room(struct net_conn *c)
{
	size_t most = SURPLUS + room_of(c);

	c->room = most < WRITE_BYTES ? (uint32_t)most : WRITE_BYTES;
	return c->room;
}

/* How much of so many bytes to encrypt now. The kernel need not be asked again about
 * what was read for this. */
static size_t may_take(struct net_conn *c, const struct iovec *iov, int n_iov)
{
	size_t all = 0, most = c->room > SURPLUS ? c->room : SURPLUS;

	for (int i = 0; i < n_iov; i++)
		all += iov[i].iov_len;
	if (all > most)
		most = tls_room(c);
	c->room = 0;
	return all < most ? all : most;
}

ssize_t tls_write(struct net_conn *c, const struct iovec *iov, int n_iov)
{
	struct tls_io *io = begin(c, 0);
	size_t done = 0, take = may_take(c, iov, n_iov);
	int broken = 0;

	for (int i = 0; i < n_iov && done < take; i++) {
		size_t n = iov[i].iov_len;

		if (n > take - done)
			n = take - done;
		if (n == 0)
			continue;
		if (SSL_write(c->ssl, iov[i].iov_base, (int)n) <= 0) {
			broken = NET_BROKEN;
			give_up(c);
			break;
		}
		done += n;
	}
	if (finish(c, io) == NET_BROKEN || broken != 0)
		return NET_BROKEN;
	if (c->out_n > 0)
		conn_arm(c);
	return (ssize_t)done;
}

/* The goodbye joins what waits in out; what was read is kept. */
void tls_shut(struct net_conn *c)
{
	struct tls_io *io = begin(c, 0);

	if (!c->tls_dead && SSL_shutdown(c->ssl) < 0)
		give_up(c);
	(void)finish(c, io); /* a peer that is gone hears nothing */
	if (c->out_n > 0)
		conn_arm(c);
}

void tls_detach(struct net_conn *c, bool goodbye)
{
	struct tls_io *io;

	if (c->ssl == NULL)
		return;
	if (goodbye && !c->tls_dead && SSL_is_init_finished(c->ssl)) {
		io = begin(c, 0);
		if (SSL_shutdown(c->ssl) < 0)
			give_up(c);
		io->in_n = 0;
		(void)finish(c, io); /* a peer that is gone hears nothing */
	}
	/* Or OpenSSL takes an end without goodbyes for a reason to make the session
	 * useless, which others may be about to resume. */
	if (!c->tls_dead)
		SSL_set_shutdown(c->ssl, SSL_SENT_SHUTDOWN);
	SSL_free(c->ssl);
	c->ssl = NULL;
	net_tls_unref(c->tls);
	c->tls = NULL;
}
