/* config/rules - what an operator changes in the heads of messages; part of config.h. */
#ifndef SLUICE_CONFIG_RULES_H
#define SLUICE_CONFIG_RULES_H

struct config_edit {
	char *set, *add; /* lines "Name: value\r\n", in the order of the file */
	char *remove;    /* names of fields, words */
};

struct config_header_rules {
	struct config_edit request, response;
};

#endif
