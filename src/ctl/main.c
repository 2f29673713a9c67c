/*
 * The sluicectl program.
 */
#include "sluice/ctl.h"

int main(int argc, char **argv)
{
	return (int)ctl_run(argc, argv);
}
