/*
 * reserve - what is left when the system has no memory: a bound of the process
 * (RLIMIT_AS), of its group, or of the machine that overcommits nothing.
 *
 * Two pieces of address space are kept aside and given back one after the other. The
 * first is for what runs: while memory is short no new connection is taken, and what
 * comes free is for those that are there. The second is for the threads that obey the
 * operator and keep the state: while memory is out, mem_try refuses every other thread,
 * so that a cutback still finds what it needs.
 *
 * Any thread, but for reserve_restock, which is control's.
 */
#ifndef SLUICE_BASE_RESERVE_H
#define SLUICE_BASE_RESERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum memory_level { MEMORY_ENOUGH, MEMORY_SHORT, MEMORY_OUT };

/* Keeps the two aside, as far as there is room for them. Costs addresses and no memory. */
void reserve_open(void);
void reserve_close(void);

/* The calling thread may have the second piece too: control, the journal, the loader. */
void reserve_entitle(void);
bool reserve_is_entitled(void);

/* An allocation of the calling thread failed. True: something was given back, try again;
 * with must, the last piece too. Either way memory is short, or out, from now on. */
bool reserve_release(bool must);

/* Once a second. Memory is enough again when no allocation has failed since the last
 * call, and the pieces are kept aside anew where there is room. */
void reserve_restock(void);

enum memory_level memory_level(void);

/* True: so many bytes can be had at this moment, in one piece. */
bool memory_is_there(size_t bytes);

#endif
