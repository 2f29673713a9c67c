/*
 * certs - certificates that certs/make.sh makes before the first test of a program, and
 * the contexts made of them.
 */
#ifndef TESTS_UNIT_NET_CERTS_H
#define TESTS_UNIT_NET_CERTS_H

#include "scene.h"

/* Certificates by name (demo, one, wild, exact, other), the first one the default. */
struct net_tls *server_tls(const char *const *names, size_t n);
struct net_tls *demo_tls(void);
struct net_tls *client_tls(bool verify);
/* The file of this name in the folder of the certificates. */
const char *cert_file(const char *name);

#endif
