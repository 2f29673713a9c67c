/*
 * relay - a network between the journal and the server that can be lost: a folder with a
 * socket like the server's, which leads to it.
 */
#ifndef JOURNAL_RELAY_H
#define JOURNAL_RELAY_H

#include <stdbool.h>
#include <stddef.h>

extern char relay_database[192]; /* server_database by way of the relay */

void relay_begin(void); /* after server_begin */
void relay_end(void);

/* After so many more bytes towards the server nothing more goes through the connections
 * that are open, and neither end of them is closed: the server hears no FIN. Those that
 * come later are whole. client_notices closes the journal's end, and only that. */
void relay_cut_after(size_t bytes, bool client_notices);
bool relay_was_cut(void);

#endif
