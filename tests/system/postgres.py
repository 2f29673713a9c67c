"""A throwaway PostgreSQL cluster that a test may stop and start."""

import json
import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile


def _newest_bin():
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"),
                   key=lambda p: float(p.parent.name))
    assert found, "PostgreSQL is missing: apt-get install postgresql"
    return found[-1]


class Postgres:
    """Listens on a Unix socket in a folder of its own, so no port can be taken."""

    def __init__(self):
        self.bin = _newest_bin()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="pg-"))
        self.data = self.folder / "data"
        if os.getuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self.folder, user.pw_uid, user.pw_gid)
        self.folder.chmod(0o755)
        self._run("initdb", "-D", self.data, "-A", "trust", "-U", "sluice", "--no-sync")
        self.start()
        self._run("createdb", "-h", self.folder, "-U", "sluice", "sluice")

    @property
    def dsn(self):
        return f"host={self.folder} dbname=sluice user=sluice"

    def _run(self, tool, *args, check=True):
        command = [str(self.bin / tool), *map(str, args)]
        if os.getuid() == 0:
            command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups",
                       *command]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=60)
        assert not check or done.returncode == 0, f"{tool}: {done.stderr}{done.stdout}"
        return done

    def start(self):
        options = f"-k {self.folder} -c listen_addresses='' -c fsync=off -c shared_buffers=16MB"
        self._run("pg_ctl", "-D", self.data, "-w", "-t", "30", "-o", options,
                  "-l", self.folder / "log", "start")

    def stop(self, mode="fast"):
        self._run("pg_ctl", "-D", self.data, "-w", "-m", mode, "stop")

    def query(self, sql):
        """The rows as dictionaries."""
        wrapped = f"select coalesce(json_agg(q), '[]') from ({sql}) q"
        done = subprocess.run([str(self.bin / "psql"), self.dsn, "-AtXq", "-c", wrapped],
                              capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def remove(self):
        self._run("pg_ctl", "-D", self.data, "-m", "immediate", "stop", check=False)
        shutil.rmtree(self.folder, ignore_errors=True)
