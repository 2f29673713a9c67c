"""More names of migrations than the live file has places for, over the years: those of former
migrations are used again, those that are latched are not."""

import pytest

import settings
from waiting import wait_for

PLACES = 1024
OF_ITS_OWN = {"old-7": {"new": "bad"}}


def named(prefix, n):
    """Of them old-7 leads to a pool of its own, which its latch will speak against."""
    return {f"{prefix}-{i}": {**settings.migration(10), **OF_ITS_OWN.get(f"{prefix}-{i}", {})}
            for i in range(n)}


@pytest.fixture
def crowded(origins, sluice):
    """A sluice whose 1,000 former migrations have left, one of them cut back."""
    servers = origins(legacy=1, new=1, bad=1)
    instance = sluice({name: servers[name] for name in ("legacy", "new", "bad")},
                      named("old", PLACES - 24)).start()
    instance.ctl("cutback", "old-7")
    leave(instance, named("last", 1))
    return instance


def leave(instance, migrations):
    instance.config["migrations"] = migrations
    instance.config["routes"] = [{"host": "*", "path": "/", "migration": next(iter(migrations))}]
    instance.write_config()
    row = instance.hup()
    assert row["action"] == "reload", row["reason"]


def takes(instance, migrations):
    """The reload that succeeds once no data thread has the old snapshot any more."""
    instance.config["migrations"] = migrations
    instance.config["routes"] = [{"host": "*", "path": "/", "migration": next(iter(migrations))}]
    instance.write_config()
    wait_for(lambda: instance.hup()["action"] == "reload", 20, "the new names find places")


def test_former_names_make_room_and_a_latch_stays(crowded):
    takes(crowded, named("new", 100))

    assert crowded.weight("new-99") == 10
    takes(crowded, {**named("old", 8), **named("new", 1)})
    assert crowded.phase("old-7") == "cutback"
    assert crowded.weight("old-6") == 10, "as the journal remembers it"


def test_a_restart_with_new_names_starts(crowded):
    assert crowded.terminate() == 0
    crowded.config["migrations"] = {**named("new", 100), "old-7": named("old", 8)["old-7"]}
    crowded.config["routes"] = [{"host": "*", "path": "/", "migration": "new-0"}]

    crowded.start()

    assert crowded.phase("old-7") == "cutback"
    assert crowded.weight("new-99") == 10
