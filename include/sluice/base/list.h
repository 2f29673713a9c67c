/*
 * list - doubly linked, through a link inside the object.
 *
 * A list is a link that is linked to itself when empty. An object that may or
 * may not be in a list has its link initialised with list_init, and can then
 * always be removed.
 */
#ifndef SLUICE_BASE_LIST_H
#define SLUICE_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct link {
	struct link *prev, *next;
};

#define LIST_ENTRY(link, type, member) \
	((type *)(void *)((char *)(link)-offsetof(type, member)))

/* The body may remove the current entry. */
#define LIST_EACH(list, it, after)                                            \
	for (struct link *it = (list)->next, *after = it->next; it != (list); \
		it = after, after = it->next)

static inline void list_init(struct link *l)
{
	l->prev = l->next = l;
}

static inline bool list_empty(const struct link *l)
{
	return l->next == l;
}

static inline void list_push(struct link *list, struct link *l)
{
	l->prev = list->prev;
	l->next = list;
	list->prev->next = l;
	list->prev = l;
}

static inline void list_push_front(struct link *list, struct link *l)
{
	list_push(list->next, l);
}

static inline void list_remove(struct link *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	list_init(l);
}

/* All of from, in order, behind what is in list; from is empty then. */
static inline void list_take(struct link *list, struct link *from)
{
	if (list_empty(from))
		return;
	from->next->prev = list->prev;
	list->prev->next = from->next;
	from->prev->next = list;
	list->prev = from->prev;
	list_init(from);
}

#endif
