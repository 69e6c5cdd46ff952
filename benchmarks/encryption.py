"""What encryption at rest costs: the same DuckDB query over the same Parquet file, in plain and encrypted.

Both files lie on one volume, so that nothing but the key differs. Per round, alternating: the query with
the file cached, and with the file dropped from the cache before. Then what handling a workspace costs.
``python benchmarks/encryption.py [--rows 10000000] [--rounds 5]`` prints two tables. The kernel decrypts in
threads of its own, so the CPU of a cold read is the machine's, not the query's: wall time and the raw reading
speed tell of it.
"""

from __future__ import annotations

import argparse
import os
import platform
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import duckdb

from sandbox.vault import Image, Master, Vault

ROWS = """
COPY (SELECT (hash(i) % 200000)::INT AS person, (hash(i + 1) % 97)::INT AS district,
             (hash(i + 2) % 1000000 / 100.0)::DECIMAL(12, 2) AS income,
             DATE '2020-01-01' + (hash(i + 3) % 1500)::INT AS day
      FROM range({rows}) AS made(i)) TO '{file}' (FORMAT parquet, COMPRESSION zstd)
"""
QUERY = """
SELECT district, count(DISTINCT person), avg(income), min(day) FROM '{file}' GROUP BY district
"""
SIZE = 4 << 30
MEBI = 1 << 20


def drop(file: Path) -> None:
    """Out of the page cache. The volume's device reads past the cache of the file system below it."""
    with file.open("rb") as opened:
        os.fsync(opened.fileno())
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def read(file: Path) -> None:
    with file.open("rb") as opened:
        while opened.read(MEBI):
            pass


def query(file: Path) -> tuple[float, float]:
    """Wall and CPU seconds of the query, in a database of its own."""
    with duckdb.connect() as database:
        database.execute("SET threads = 2")
        wall, cpu = time.perf_counter(), time.process_time()
        database.execute(QUERY.format(file=file)).fetchall()
        return time.perf_counter() - wall, time.process_time() - cpu


def seconds(act: Callable[..., object], *words: object) -> float:
    begun = time.perf_counter()
    act(*words)
    return time.perf_counter() - begun


def compare(files: dict[str, Path], rounds: int) -> None:
    """The table of queries and of raw reading."""
    size = next(iter(files.values())).stat().st_size / MEBI
    taken: dict[tuple[str, str], list[float]] = {}
    for _ in range(rounds):
        for name, file in files.items():
            drop(file)
            cold = query(file)
            hot = query(file)
            taken.setdefault(("query, cold: wall s", name), []).append(cold[0])
            taken.setdefault(("query, hot: wall s", name), []).append(hot[0])
            taken.setdefault(("query, hot: CPU s", name), []).append(hot[1])
            drop(file)
            taken.setdefault(("reading, cold: s", name), []).append(seconds(read, file))
            taken.setdefault(("reading, hot: s", name), []).append(seconds(read, file))
    print(f"Parquet file of {size:.0f} MiB, {rounds} rounds, alternating; least / median\n")
    print("| what | plain | encrypted | ratio of least |\n|---|---|---|---|")
    for what in dict.fromkeys(key[0] for key in taken):
        plain, encrypted = (taken[what, name] for name in files)
        row = [f"{min(one):.2f} / {statistics.median(one):.2f}" for one in (plain, encrypted)]
        print(f"| {what} | {row[0]} | {row[1]} | {min(encrypted) / min(plain):.2f} |")
    for heat in ("cold", "hot"):
        speeds = [size / min(taken[f"reading, {heat}: s", name]) for name in files]
        print(f"| reading, {heat}: MiB/s | {speeds[0]:.0f} | {speeds[1]:.0f} | |")


def handling(vault: Vault, rounds: int) -> None:
    """What it costs to make, open, rotate and destroy."""
    taken: dict[str, list[float]] = {}
    for number in range(rounds):
        workspace = f"ag/sc-{number}"
        taken.setdefault("a new workspace", []).append(seconds(vault.open, workspace))
        vault.close(workspace)
        taken.setdefault("opening it again", []).append(seconds(vault.open, workspace))
        taken.setdefault("opening it when it is open", []).append(seconds(vault.open, workspace))
        taken.setdefault("rotating it (empty)", []).append(seconds(vault.rotate, workspace))
        taken.setdefault("destroying it", []).append(seconds(vault.destroy, workspace))
    taken["locking the vault (unmount)"] = [seconds(vault.lock)]
    taken["unlocking the vault (mount)"] = [seconds(vault.unlock)]
    print("\n| what | least ms | median ms |\n|---|---|---|")
    for what, times in taken.items():
        print(f"| {what} | {min(times) * 1000:.2f} | {statistics.median(times) * 1000:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    os.environ["BENCH_MASTER_KEY"] = secrets.token_hex(32)
    with tempfile.TemporaryDirectory(prefix="sbx-bench-") as name:
        folder = Path(name)
        image = Image(folder / "vault.img", folder / "vault", SIZE)
        vault = Vault(image, folder / "keys", Master("env:BENCH_MASTER_KEY"))
        made = seconds(vault.create)
        try:
            plain, encrypted = image.root / "plain.parquet", vault.open("ag/sc") / "encrypted.parquet"
            with duckdb.connect() as database:
                database.execute(ROWS.format(rows=asked.rows, file=plain))
            encrypted.write_bytes(plain.read_bytes())
            load, kernel = os.getloadavg()[0], platform.release().partition("-")[0]
            print(f"{os.cpu_count()} cores, Linux {kernel}; load at the start {load:.1f}")
            drivers = Path("/proc/crypto").read_text().splitlines()
            used = {line.split(": ")[1] for line in drivers if line.startswith("driver") and "xts" in line}
            print(f"the kernel's XTS: {', '.join(sorted(used)) or '-'}; a new volume: {made * 1000:.0f} ms\n")
            compare({"plain": plain, "encrypted": encrypted}, asked.rounds)
            vault.destroy("ag/sc")
            handling(vault, asked.rounds * 4)
        finally:
            image.detach()


if __name__ == "__main__":
    main()
