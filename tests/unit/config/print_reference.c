/* The reference of all settings, for docs/configuration.md. */
#include <stdio.h>
#include <stdlib.h>

#include "sluice/config.h"

int main(void)
{
	char *text = config_reference();

	fputs(text, stdout);
	free(text);
	return 0;
}
