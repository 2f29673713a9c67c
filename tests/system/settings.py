"""Configurations as Python values, and their text in libconfig's syntax."""

import copy
import json


def text_of(value, depth=0):
    pad = "  " * (depth + 1)
    end = "  " * depth
    if isinstance(value, dict):
        lines = [f"{pad}{k} = {text_of(v, depth + 1)};" for k, v in value.items() if v is not None]
        return "{\n" + "\n".join(lines) + f"\n{end}}}"
    if isinstance(value, (list, tuple)):
        if any(isinstance(v, dict) for v in value):
            items = ",\n".join(pad + text_of(v, depth + 1) for v in value)
            return f"(\n{items}\n{end})"
        return "[ " + ", ".join(text_of(v) for v in value) + " ]" if value else "()"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value)
    return repr(value)


def render(config):
    return "".join(f"{k} = {text_of(v)};\n" for k, v in config.items() if v is not None)


def pool(servers, **more):
    """A pool of origin servers whose health is asked often, so that tests are quick."""
    health = {"path": "/api/health", "interval": "200ms", "timeout": "1s", "rise": 2, "fall": 3}
    return {"servers": [{"address": s.address} for s in servers], "health": health, **more}


def merged(base, changes):
    """base with changes laid over it, group by group; None takes a key away."""
    out = copy.deepcopy(base)
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(out.get(key), dict):
            out[key] = merged(out[key], value)
        else:
            out[key] = value
    return out


def migration(new_percent=0, **more):
    base = {
        "legacy": "legacy", "new": "new",
        "weights": {"legacy": 100 - new_percent, "new": new_percent},
    }
    return merged(base, more)


GUARD = {"error_rate": 5.0, "p95_latency": "300ms"}
