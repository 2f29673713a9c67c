/*
 * utf8 - what counts as a character.
 */
#ifndef SLUICE_BASE_UTF8_H
#define SLUICE_BASE_UTF8_H

#include <stddef.h>

/* Length of the UTF-8 sequence at p, of which n bytes are there; 0 when it is
 * none: cut short, overlong, a surrogate or beyond U+10FFFF. */
size_t utf8_len(const char *p, size_t n);

#endif
