#!/usr/bin/env python3
"""Checks the shape of the C code: short functions, short files, one layout.

Functions have at most 60 lines (but for those named in shape.txt) and five
parameters (but for on_*, which a library may call its own way), files at most 500
lines, a folder of src/ at most 15 of them, and clang-format finds nothing to change.
Without ctags or clang-format that part is left out, and said to be. Prints one
line for each breach; exit status 1 if any.

    shape.py [FOLDER]       the source tree; default: the one this file is in
"""
import collections
import pathlib
import re
import shutil
import subprocess
import sys

FOLDERS = ["src", "include", "tests", "loadtest"]
FUNCTION_LINES, FILE_LINES, PARAMETERS, FOLDER_FILES = 60, 500, 5, 15
FORMAT_FINDING = re.compile(r"^([^:\n]+:\d+):\d+: error: ", re.MULTILINE)


def c_files(root):
    return sorted(
        str(path.relative_to(root))
        for folder in FOLDERS
        for path in (root / folder).rglob("*.[ch]")
    )


def long_files(root, files):
    for name in files:
        lines = len((root / name).read_text().splitlines())
        if lines > FILE_LINES:
            yield f"{name}: {lines} lines; split it by idea before {FILE_LINES}"


def full_folders(files):
    count = collections.Counter(name.rsplit("/", 1)[0] for name in files)
    for folder, n in count.items():
        if folder.startswith("src/") and n > FOLDER_FILES:
            yield f"{folder}: {n} files; a folder for what belongs together before {FOLDER_FILES}"


def functions(root, files):
    """(file, name, first line, last line, parameters) as ctags sees them."""
    ctags = ["ctags", "-f", "-", "-u", "--fields=neS", "--kinds-c=f", "--language-force=C"]
    out = subprocess.run(
        [*ctags, *files], cwd=root, capture_output=True, text=True, check=True
    ).stdout
    for line in out.splitlines():
        name, file, rest = line.split("\t", 2)
        fields = dict(
            f.partition(":")[::2] for f in rest.split(';"')[-1].split("\t") if ":" in f
        )
        if "end" in fields:
            count = parameters(fields.get("signature", "()"))
            yield file, name, int(fields["line"]), int(fields["end"]), count


def parameters(signature):
    """Counts the commas outside of inner parentheses."""
    depth, commas = 0, 0
    for c in signature:
        depth += (c == "(") - (c == ")")
        commas += c == "," and depth == 1
    return commas + 1


def allowed_long(path):
    rows = [line.split(None, 2) for line in path.read_text().splitlines()]
    rows = [row for row in rows if row and not row[0].startswith("#")]
    for row in rows:
        if len(row) != 3:
            sys.exit(f"{path}: {' '.join(row)}: expected FILE FUNCTION REASON")
    return {(file, name) for file, name, _ in rows}


def large_functions(root, files, allowed):
    needed = set()
    for file, name, first, last, count in functions(root, files):
        lines = last - first + 1
        if lines > FUNCTION_LINES:
            needed.add((file, name))
        if lines > FUNCTION_LINES and (file, name) not in allowed:
            yield f"{file}:{first}: {name} has {lines} lines; {FUNCTION_LINES} are enough"
        if count > PARAMETERS and not name.startswith("on_"):
            yield f"{file}:{first}: {name} has {count} parameters; a struct would name them"
    for file, name in sorted(allowed - needed):
        yield f"tests/shape.txt: {file} {name}: this row is no longer needed"


def layout(root, files):
    """One breach for each file that clang-format would change."""
    done = subprocess.run(
        ["clang-format", "--dry-run", "-Werror", *files],
        cwd=root, capture_output=True, text=True, check=False,
    )
    seen = set()
    for where in FORMAT_FINDING.findall(done.stderr):
        file = where.rpartition(":")[0]
        if file not in seen:
            seen.add(file)
            yield f"{where}: not as clang-format lays it out"
    if done.returncode != 0 and not seen:
        yield f"clang-format: {done.stderr.strip()}"


def main():
    here = pathlib.Path(__file__).resolve().parent
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here.parent
    files = c_files(root)
    breaches = [*long_files(root, files), *full_folders(files)]
    if shutil.which("ctags"):
        breaches += large_functions(root, files, allowed_long(here / "shape.txt"))
    else:
        print("without ctags: functions not measured")
    if shutil.which("clang-format"):
        breaches += layout(root, files)
    else:
        print("without clang-format: layout not compared")
    for breach in breaches:
        print(breach)
    print(f"{len(files)} files: {len(breaches)} breaches")
    sys.exit(1 if breaches or not files else 0)


if __name__ == "__main__":
    main()
