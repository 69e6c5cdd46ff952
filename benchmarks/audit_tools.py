"""Public audit and stress tools inside a job's container: what they find, and what it does to the machine.

The image ``python`` gets one more layer with the distribution's ``lynis`` (audit), ``libcap2-bin`` and
``libcap-ng-utils`` (capabilities), ``stress-ng`` (more than two hundred ways to press a kernel) and the shell
they need, and each runs under the very profile of a job. The image carries a tag of its own, is on no list
of images that may run, and is removed in the end.

``python benchmarks/audit_tools.py [--seconds 1] [--classes device,network,security,vm]`` prints the table;
``--show`` prints what the tools wrote as well.
"""

from __future__ import annotations

import argparse
import io
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import docker

from benchmarks.space import machine
from sandbox.executor.contract import Limits, Outcome, Task, TaskKind
from sandbox.executor.docker import API_VERSION
from sandbox.executor.images import ImageList
from tests.plugins.engine import ProbeExecutor

TOOLS = ("dash", "libcap2-bin", "libcap-ng-utils", "lynis", "stress-ng")
HELPERS = ("coreutils", "findutils", "gawk", "grep", "hostname", "mawk", "procps", "sed", "util-linux")
TAG = "sandbox-audit-tools"
# What is run, how to call it, and what of its output counts (a pattern -> what a hit means).
AUDITS: dict[str, tuple[list[str], dict[str, str]]] = {
    "capsh --print": (
        ["capsh", "--print"],
        {
            r"^(?:Current:|Bounding set|Ambient set) ?=[ \t]*\S": "a capability",
            r"no-new-privs=0": "new privileges",
        },
    ),
    "captest": (["captest"], {r"succeeded|SUCCESS|WARNING": "an access it should not have"}),
    "pscap -a": (["pscap", "-a"], {r"^\d+\s+\d+.*(?:full|cap_|_)": "a process with capabilities"}),
    "lynis audit system": (
        ["sh", "/usr/sbin/lynis", "audit", "system", "--quick", "--no-colors", "--pentest"],
        {r"^\s+! ": "a warning"},
    ),
}
STRESS = ["stress-ng", "--sequential", "1", "--temp-path", "/tmp", "--metrics-brief", "--class"]  # noqa: S108
STRESSED = {
    r"metrc: \[\d+\] \S+ +\d+ +[\d.]+ +[\d.]+ +[\d.]+ +[\d.]+ +[\d.]+$": "a stressor that ran",
    r"stressor will be skipped|permission denied": "one refused",
}
RUN = """
import subprocess
done = subprocess.run({command!r}, capture_output=True, text=True, cwd="/usr/share/lynis", timeout={seconds},
                      env={{"PATH": "/usr/sbin:/usr/bin:/tmp", "HOME": "/tmp", "TERM": "dumb"}})
report["exit"], report["told"] = done.returncode, (done.stdout + done.stderr)[-60000:]
"""
# Of the machine, before and after: what no task may have changed.
WATCHED = (
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/kernel/hostname",
    "/proc/sys/vm/overcommit_memory",
    "/proc/sys/kernel/tainted",
    "/proc/sys/kernel/randomize_va_space",
)


class Listed(ImageList):
    """The signed list, and the image of this measurement."""

    extra = ""

    def check(self, digest: str) -> str:
        return TAG if digest == self.extra else super().check(digest)


def packages() -> list[str]:
    """The tools and all they need, of the distribution's own packages."""
    told = subprocess.run(
        ["apt-cache", "depends", "--recurse", "--no-recommends", "--no-suggests", "--no-conflicts",
         "--no-breaks", "--no-replaces", "--no-enhances", *TOOLS, *HELPERS],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    names = {line for line in told.splitlines() if re.match(r"[a-z0-9]", line) and ":i386" not in line}
    real = subprocess.run(["apt-cache", "show", *sorted(names)], capture_output=True, text=True).stdout
    return sorted(names & set(re.findall(r"^Package: (\S+)$", real, re.MULTILINE)))


def layer(folder: Path) -> bytes:
    """A tar of the packages' files; the image's own libraries stay what they are."""
    options = ("-o", "APT::Sandbox::User=root")
    subprocess.run(["apt-get", "download", "-qq", *options, *packages()], cwd=folder, check=True)
    root = folder / "root"
    for deb in sorted(folder.glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", str(deb), str(root)], check=True)
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as tar:
        for path in sorted(root.rglob("*")):
            name = str(path.relative_to(root))
            top = name.partition("/")[0]
            name = f"usr/{name}" if top in {"bin", "lib", "lib64", "sbin"} else name
            if name.startswith(("usr/share/doc", "usr/share/man", "usr/share/locale", "var", "dev", "proc")):
                continue
            if path.is_dir() and not path.is_symlink():
                continue
            tar.add(path, name, recursive=False)
        for applet, program in (("usr/bin/sh", "dash"), ("usr/bin/awk", "mawk")):
            info = tarfile.TarInfo(applet)
            info.type, info.linkname = tarfile.SYMTYPE, program
            tar.addfile(info)
    return sink.getvalue()


def image(api: docker.APIClient, base: str) -> str:
    """``base`` with the tools: its digest."""
    with tempfile.TemporaryDirectory() as folder:
        made = api.create_container(base, entrypoint=["python3"])["Id"]
        try:
            api.put_archive(made, "/", layer(Path(folder)))
            return str(api.commit(made, repository=TAG)["Id"])
        finally:
            api.remove_container(made)


def watched() -> dict[str, str]:
    """The state of the machine."""
    return {name: Path(name).read_text(errors="replace") for name in WATCHED}


def run(executor: ProbeExecutor, digest: str, command: list[str], seconds: int) -> Outcome:
    """``command`` as a job."""
    code = RUN.format(command=command, seconds=seconds)
    task = Task(
        id=f"audit-{abs(hash((*command,))) % 10**9}",
        kind=TaskKind.JOB,
        image=digest,
        params={"code": code},
        inputs=(),
        limits=Limits(
            seconds=seconds + 20, memory_bytes=512 << 20, output_bytes=8 << 20, tmp_bytes=64 << 20, pids=128
        ),
    )
    try:
        return executor.run(task)
    finally:
        executor.discard(task.id)


def row(name: str, outcome: Outcome, said: str, before: dict[str, str]) -> None:
    """One line of the table."""
    status = (outcome.report or {}).get("exit", "")
    after = watched()
    changed = ", ".join(key for key in WATCHED if before[key] != after[key]) or "nothing"
    print(f"| {name} | {outcome.end.value} | {status} | {said} | {changed} |", flush=True)


def found(told: str, patterns: dict[str, str]) -> str:
    """What ``patterns`` hit in the output of a tool."""
    hits = {what: len(re.findall(pattern, told, re.MULTILINE)) for pattern, what in patterns.items()}
    return "; ".join(f"{count} × {what}" for what, count in hits.items() if count) or "nothing"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=1)
    parser.add_argument("--classes", default="device,network,security,vm")
    parser.add_argument("--show", action="store_true")
    chosen = parser.parse_args()
    print(f"{machine()}\n")
    print("| tool | end | exit | what it found | changed on the machine |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        listed = Listed()
        executor = ProbeExecutor(Path(folder) / "tasks", images=listed)
        api = docker.APIClient(base_url=executor.engine, version=API_VERSION, timeout=600)
        listed.extra = image(api, executor.image("python"))
        try:
            for name, (command, patterns) in AUDITS.items():
                before = watched()
                outcome = run(executor, listed.extra, command, 300)
                told = str((outcome.report or {}).get("told", ""))
                row(name, outcome, found(told, patterns), before)
                if chosen.show:
                    print(told)
            for group in chosen.classes.split(","):
                before = watched()
                outcome = run(
                    executor, listed.extra, [*STRESS, group, "--timeout", f"{chosen.seconds}s"], 280
                )
                told = str((outcome.report or {}).get("told", ""))
                row(f"stress-ng --class {group}", outcome, found(told, STRESSED), before)
                if chosen.show:
                    print(told)
        finally:
            api.remove_image(TAG, force=True)
            api.close()
            executor.close()


if __name__ == "__main__":
    main()
