#!/usr/bin/env python3
"""docs/http.md promises that each row of its tables is a test. Here is which one: a row
that has none, a test that is not there, and an entry whose row is gone are errors."""

import pathlib
import re
import sys

TESTS = pathlib.Path(__file__).resolve().parent
PAGE = TESTS.parent / "docs" / "http.md"
ENTRIES = TESTS / "rows.txt"
NOT_RULES = {"What it costs"}  # figures, not promises


def rows_of(page):
    """(chapter, first cell) of each row of each table, but of headings and rulers."""
    chapter, previous = "", ""
    for line in page.splitlines():
        if line.startswith("## "):
            chapter = line[3:].strip()
        cells = [c.strip() for c in re.split(r"(?<!\\)\|", line.strip())[1:-1]]
        is_row = line.startswith("|") and previous.startswith("|")
        if is_row and not set(line) <= set("|-: ") and chapter not in NOT_RULES:
            yield chapter, cells[0]
        previous = line


def entries_of(text):
    """[chapter] lines, then `the row's first words = file:a test's or a case's name, ...`."""
    chapter = ""
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            chapter = line.strip("[]")
            continue
        row, _, tests = line.rpartition(" = ")
        yield number, chapter, row, re.split(r",\s+(?=\w+/)", tests.strip())


def names(text, is_c):
    """Of tests, and of the cases that a table of them has."""
    if is_c:
        return re.findall(r"\b(?:Test\(|ParameterizedTest\([^,]*,)\s*\w+,\s*(\w+)", text)
    return re.findall(r"(?m)^def (test_\w+)\(", text) + re.findall(r'"([^"\n]+)"', text)


def complaint(test):
    """`path:name`: the file is there, and has a test or a case of that whole name."""
    path, _, name = test.partition(":")
    file = TESTS / path
    if not file.is_file():
        return f"no file tests/{path}"
    if name not in names(file.read_text(), path.endswith(".c")):
        return f"tests/{path} has no test {name!r}"
    return None


def main():
    rows = list(rows_of(PAGE.read_text()))
    entries = list(entries_of(ENTRIES.read_text()))
    wrong = []
    for number, chapter, row, tests in entries:
        if not any(c == chapter and r.startswith(row) for c, r in rows):
            wrong.append(f"rows.txt:{number}: no such row: [{chapter}] {row}")
        wrong += [f"rows.txt:{number}: {c}" for c in map(complaint, tests) if c]
    for chapter, cell in rows:
        if not any(c == chapter and cell.startswith(row) for _, c, row, _ in entries):
            wrong.append(f"docs/http.md: a row without a test: [{chapter}] {cell}")
    print(*wrong or [f"{len(rows)} rows, each with a test"], sep="\n")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
