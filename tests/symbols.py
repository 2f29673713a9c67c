#!/usr/bin/env python3
"""No two rooms define a symbol of the same name.

The rooms are static libraries, and a linker that has found a name in one of them
never looks into the next: two functions of one name are no error, one of them is
called for both.  usage: symbols.py ARCHIVE..."""
import collections
import subprocess
import sys


def defined(archive):
    text = subprocess.run(["nm", "--defined-only", archive], check=True,
                          capture_output=True, text=True).stdout
    rows = (line.split() for line in text.splitlines())
    return {row[2] for row in rows if len(row) == 3 and row[1] in "TDBR"}


def main(archives):
    owners = collections.defaultdict(list)
    for archive in archives:
        for name in defined(archive):
            owners[name].append(archive)
    twice = {name: where for name, where in owners.items() if len(where) > 1}
    for name, where in sorted(twice.items()):
        print(f"{name} is defined in {' and '.join(where)}")
    print(f"{len(owners)} symbols in {len(archives)} rooms, {len(twice)} of them twice")
    return 1 if twice or not owners else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
