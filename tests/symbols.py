#!/usr/bin/env python3
"""Names that are not static: no two rooms define the same, and each says where it is at home.

The rooms are static libraries, and a linker that has found a name in one of them never
looks into the next: two functions of one name are no error, one of them is called for both.
And a reader who meets a name wants to know where to look: it begins with the name of its
room, or of a file, header or folder of the room, in singular or plural.

usage: symbols.py ARCHIVE..., each in a folder named as its room"""
import collections
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def defined(archive):
    text = subprocess.run(["nm", "--defined-only", archive], check=True,
                          capture_output=True, text=True).stdout
    rows = (line.split() for line in text.splitlines())
    return {row[2] for row in rows if len(row) == 3 and row[1] in "TDBR"}


def homes(room):
    """How names of this room may begin."""
    files = [*(ROOT / "src" / room).rglob("*"), *(ROOT / "include/sluice" / room).rglob("*")]
    stems = {room, *(path.stem.removesuffix("_priv") for path in files)}
    return stems | {stem.rstrip("s") for stem in stems} | {stem + "s" for stem in stems}


def homeless(archive):
    words = homes(pathlib.Path(archive).parent.name)
    for name in sorted(defined(archive)):
        parts = name.split("_")
        if not any("_".join(parts[:n]) in words for n in range(1, len(parts) + 1)):
            yield f"{name}: no file of {pathlib.Path(archive).parent.name} is named as it begins"


def main(archives):
    owners = collections.defaultdict(list)
    for archive in archives:
        for name in defined(archive):
            owners[name].append(archive)
    wrong = [f"{name} is defined in {' and '.join(where)}"
             for name, where in sorted(owners.items()) if len(where) > 1]
    wrong += [line for archive in archives for line in homeless(archive)]
    print("\n".join(wrong))
    print(f"{len(owners)} symbols in {len(archives)} rooms, {len(wrong)} of them wrong")
    return 1 if wrong or not owners else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
