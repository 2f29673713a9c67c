"""Figures as Markdown: a line for each thing measured, a column for each proxy."""

import statistics

import proxies


def number(value, digits):
    return f"{value:,.{digits}f}"


def figures_of(rounds, line):
    return [one[line.key] for one in rounds if line.key in one]


def ratios(rounds, floor, line):
    """Round by round: what disturbs a round disturbs both."""
    pairs = zip(figures_of(rounds, line), figures_of(floor, line))
    return [mine / theirs for mine, theirs in pairs if theirs]


def cell(line, rounds, floor):
    """The median; of ratios also how far the rounds were apart."""
    values = ratios(rounds, floor, line) if line.ratio else figures_of(rounds, line)
    if not values:
        return "–"
    text = number(line.combine(values), line.digits)
    if line.ratio and len(values) > 1:
        text += f" ({number(min(values), line.digits)}–{number(max(values), line.digits)})"
    return text


def row_lines(row, figures, names):
    floor = figures.get("floor", [])
    for line in row.lines:
        if line.ratio and not floor:
            continue
        cells = [cell(line, figures.get(name, []), floor) for name in names]
        yield [line.title, *cells, line.goal]


def table(rows, figures, names):
    heads = ["", *(proxies.KNOWN[name].title for name in names), "sluice is to reach"]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for row in rows:
        lines += ["| " + " | ".join(cells) + " |"
                  for cells in row_lines(row, figures[row.name], names)]
    return "\n".join(lines) + "\n"


def failures(figures):
    """(row, proxy, how many) of requests that failed."""
    for row, by_name in figures.items():
        for name, rounds in by_name.items():
            n = sum(one.get("failures", 0) for one in rounds)
            if n > 0:
                yield row, name, n


def notes(figures, missing):
    lines = [f"- {row}, {name}: {n} requests failed" for row, name, n in failures(figures)]
    lines += [f"- {row}, {name}: no figure: {why}"
              for (row, name), why in sorted(missing.items())]
    return "\n".join(lines or ["No request failed."]) + "\n"


def quietness(samples):
    """Of the machine: how much it was disturbed while it measured."""
    load = statistics.median(sample["load"] for sample in samples)
    stolen = samples[-1]["stolen_s"] - samples[0]["stolen_s"]
    seconds = samples[-1]["at"] - samples[0]["at"]
    return f"load average {load:.1f} (median), {100 * stolen / max(1, seconds):.1f} % stolen"
