#!/usr/bin/env python3
"""Checks that no room knows more than its row in layers.txt allows.

Looked at are all #include lines of src/ and include/, and what the rooms'
CMakeLists.txt link. Prints one line for each breach; exit status 1 if any.

    layers.py [FOLDER]      the source tree; default: the one this file is in
"""
import fnmatch
import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
LINK = re.compile(r"[\w:.-]+")


class Table:
    """layers.txt, read."""

    def __init__(self, path, src):
        self.src = src
        self.rooms, self.outside, self.system = {}, [], []
        for number, line in enumerate(path.read_text().splitlines(), 1):
            kind, _, rest = line.split("#")[0].strip().partition(" ")
            left, _, right = rest.partition(":")
            if kind == "room":
                self.rooms[left] = set(right.split()) | {left}
            elif kind == "outside":
                self.outside.append((left, right.strip()))
            elif kind == "system":
                self.system += rest.split()
            elif kind:
                sys.exit(f"{path}:{number}: expected room, outside or system")
        self.check_names(path)

    def check_names(self, path):
        """Each room's row names only rooms above it: so there is no cycle."""
        known = set()
        for room, may in self.rooms.items():
            known.add(room)
            if not may <= known:
                sys.exit(f"{path}: room {room}: {may - known} has no row above")

    def complaint(self, room, quote, header):
        """Why room may not include header, or None."""
        if header.startswith("sluice/"):
            return self.about_room(room, room_of_header(header))
        if quote == '"':
            if header.endswith("_priv.h") and (self.src / room / header).is_file():
                return None
            return f"a private header is a room's own, named from src/{room}: IDEA_priv.h"
        return self.about_outside(room, header)

    def about_room(self, room, other):
        if other in self.rooms[room]:
            return None
        return f"room {room} may not know room {other}"

    def about_outside(self, room, header):
        owners = [r for form, r in self.outside if fnmatch.fnmatchcase(header, form)]
        if owners:
            return None if room in owners else f"only {' and '.join(owners)} may"
        if any(fnmatch.fnmatchcase(header, form) for form in self.system):
            return None
        return "layers.txt does not know this header"


def room_of_header(header):
    """sluice/base/log.h belongs to base, and so would sluice/base.h."""
    return pathlib.PurePath(header).parts[1].removesuffix(".h")


def sources(root):
    """Every file with #include lines, and its room."""
    for path in sorted((root / "src").rglob("*.[ch]")):
        yield path, path.relative_to(root / "src").parts[0]
    for path in sorted((root / "include").rglob("*.h")):
        yield path, room_of_header(str(path.relative_to(root / "include")))


def include_breaches(root, table):
    for path, room in sources(root):
        where = path.relative_to(root)
        if room not in table.rooms:
            yield f"{where}: layers.txt has no room {room}"
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            found = INCLUDE.match(line)
            why = found and table.complaint(room, *found.groups())
            if why:
                yield f"{where}:{number}: {found.group(2)}: {why}"


def link_breaches(root, table):
    for path in sorted((root / "src").glob("*/CMakeLists.txt")):
        room = path.parent.name
        for number, line in enumerate(path.read_text().splitlines(), 1):
            for word in LINK.findall(line.split("#")[0]):
                other = word.removeprefix("sluice_")
                if other in table.rooms and other not in table.rooms[room]:
                    where = path.relative_to(root)
                    yield f"{where}:{number}: room {room} may not link {other}"


def main():
    here = pathlib.Path(__file__).resolve().parent
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here.parent
    table = Table(here / "layers.txt", root / "src")
    files = len(list(sources(root)))
    breaches = [*include_breaches(root, table), *link_breaches(root, table)]
    for breach in breaches:
        print(breach)
    print(f"{files} files of {len(table.rooms)} rooms: {len(breaches)} breaches")
    sys.exit(1 if breaches or files == 0 else 0)


if __name__ == "__main__":
    main()
