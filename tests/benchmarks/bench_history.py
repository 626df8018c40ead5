"""What a history costs at 1,000 tables and 1,000 statements: bytes a week, and processor time of a round. Prints.

.venv/bin/pytest tests/benchmarks/bench_history.py -s     on PostgreSQL 18
.venv/bin/pytest tests/benchmarks/bench_history.py -s --django-server pg15

Between two rounds a minute apart a tenth of the tables is written and a third of the statements runs; between two hours
all of them. Processor time is that of this process and of all processes of the server together.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from random import Random
from statistics import median

import pytest
from django.db import connection

from dbops.collect.postgres import collect
from dbops.collect.session import Session
from dbops.counters.packing import KEPT
from dbops.counters.recording import record
from dbops.counters.store import KEPT_FOR, store
from dbops.models import Counters, Statement
from dbops.sources import connect_alias

TABLES = STATEMENTS = 1_000
ROUNDS = 20
WEEK_H = 7 * 24
RANDOM = Random(7)  # noqa: S311  whatever it draws, it draws the same each time


def make() -> None:
    with connection.cursor() as cursor:
        for number in range(TABLES):
            cursor.execute(f"CREATE TABLE bench_{number} (id bigserial PRIMARY KEY, a int, b text)")
            cursor.execute(f"CREATE INDEX bench_{number}_a ON bench_{number} (a)")


def work(round_: int, *, tables: int, statements: int) -> None:
    """Write to so many tables and run so many different statements, others each round."""
    with connection.cursor() as cursor:
        for number in range(tables):
            table = (number + round_ * tables) % TABLES
            cursor.execute(
                f"INSERT INTO bench_{table} (a, b) SELECT n, 'x' FROM generate_series(1, %s) n",
                [RANDOM.randrange(1, 300)],
            )
        for number in range(statements):
            one = (number + round_ * statements) % STATEMENTS
            for _ in range(RANDOM.randrange(1, 6)):
                cursor.execute(
                    f"SELECT id AS id_{one}, a FROM bench_{one} WHERE a = %s AND b <> %s ORDER BY id", [one, "y"]
                )
        cursor.execute("SELECT pg_stat_force_next_flush()")


def server_cpu_s() -> float:
    """The processor time that the server's processes have had, those that ended too."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (backend,) = cursor.fetchone() or (0,)
    postmaster = int(_stat(Path(f"/proc/{backend}"))[1])
    ticks = 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            fields = _stat(entry)
        except OSError:  # it has ended meanwhile
            continue
        if int(entry.name) == postmaster:
            ticks += sum(map(int, fields[11:15]))
        elif int(fields[1]) == postmaster:
            ticks += sum(map(int, fields[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def _stat(process: Path) -> list[str]:
    """The fields of a process that /proc shows behind its name: its state, its parent, …"""
    return (process / "stat").read_text().rpartition(")")[2].split()


def kept_bytes(tier: Counters.Tier) -> list[int]:
    """The sizes of the rows of a tier as they lie on the disk."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_column_size(c.*) FROM dbops_counters c WHERE tier = %s", [tier])
        return [size for (size,) in cursor.fetchall()]


@pytest.mark.django_db(transaction=True)
@pytest.mark.timeout(900)
def test_a_history_of_a_thousand_tables_and_statements() -> None:
    make()
    work(0, tables=TABLES, statements=STATEMENTS)
    for number, tier in enumerate([Counters.Tier.DAY, Counters.Tier.HOUR, Counters.Tier.HOUR], start=1):
        with connect_alias("default") as (own, error):
            store("default", collect(Session(own, error), alias="default", database="", sections=frozenset(KEPT)), tier)
        work(number, tables=TABLES, statements=STATEMENTS)
    own_s, server_s, took_s = [], [], []
    record("default")  # the texts of all statements, once
    for number in range(ROUNDS):
        work(number, tables=TABLES // 10, statements=STATEMENTS // 3)
        before = (time.process_time(), server_cpu_s(), time.perf_counter())
        record("default")
        took_s.append(time.perf_counter() - before[2])
        own_s.append(time.process_time() - before[0])
        server_s.append(server_cpu_s() - before[1])
    sizes = {tier: median(kept_bytes(tier)) for tier in Counters.Tier}
    minutes = KEPT_FOR[Counters.Tier.MINUTE].total_seconds() / 60
    week = (WEEK_H - 7) * sizes[Counters.Tier.HOUR] + 7 * sizes[Counters.Tier.DAY]
    texts = sum(len(one.text) for one in Statement.objects.all())
    version = ".".join(map(str, connection.get_database_version()))
    cpu_s = sum(own_s) / ROUNDS + sum(server_s) / ROUNDS
    print(f"\nPostgreSQL {version}, {TABLES} tables, {2 * TABLES} indexes, {STATEMENTS} statements")
    for tier, size in sizes.items():
        print(f"  {tier:<8} {size / 1024:8.1f} kB a row, {len(kept_bytes(tier))} rows")
    print(f"  growth   {week / 1024**2:8.1f} MB a week (target 20)")
    print(f"  minutes  {minutes * sizes[Counters.Tier.MINUTE] / 1024**2:8.1f} MB, which stay as they are")
    print(f"  texts    {texts / 1024**2:8.1f} MB of statements, once")
    print(
        f"  a round  {median(took_s):8.2f} s, {sum(own_s) / ROUNDS:.3f} s of our own processor time and "
        f"{sum(server_s) / ROUNDS:.3f} s of the server's: {cpu_s / 60:.2%} of one core at 60 s (target 1 %)"
    )
