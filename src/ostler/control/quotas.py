"""How many attempts may go on at a time, or begin within a time, on a server, with a provider's
models, or for a tenant: of all workers together, kept in their database."""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, get_args

import msgspec
import sqlalchemy as sa

from ostler.control.store import ControlStore, quota_leases, quotas

Scope = Literal["server", "provider", "tenant"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
NAMELESS = "default"
"""The provider of a stage that names no model; the tenant of a run that names none."""
LOOK_SECONDS = 1.0
"""How soon somebody who was refused for want of a place may ask again."""


class Quota(msgspec.Struct, frozen=True):
    """``key``: ``scope:name``; the name ``*`` is for each that has no quota of its own.
    ``concurrency``: attempts at a time; ``rate``: attempts that begin within ``per`` seconds."""

    key: str
    concurrency: int | None = None
    rate: int | None = None
    per: float = 60.0

    def __str__(self) -> str:
        allowed = [f"{self.concurrency} at a time"] if self.concurrency is not None else []
        if self.rate is not None:
            allowed.append(f"{self.rate} in {self.per:g} s")
        return f"{self.key}: {', '.join(allowed)}"


class Full(msgspec.Struct, frozen=True):
    """Why there is no place, and when to ask again."""

    quota: Quota
    seconds: float


def quota(key: str, concurrency: int | None, rate: int | None, per: float) -> Quota:
    """Raises ValueError, which says what is wrong with it."""
    scope, _, name = key.partition(":")
    if scope not in SCOPES or not name:
        raise ValueError(f"{key}: expected {', '.join(f'{s}:NAME' for s in SCOPES)}, or * as NAME")
    if concurrency is None and rate is None:
        raise ValueError(f"{key}: a quota has a concurrency, a rate, or both")
    for what, value in (("concurrency", concurrency), ("rate", rate), ("per", per)):
        if value is not None and value <= 0:
            raise ValueError(f"{key}: {what} must be more than 0, not {value:g}")
    return Quota(key, concurrency, rate, per)


class Quotas:
    """Methods block; each is one short transaction."""

    def __init__(self, store: ControlStore) -> None:
        self._store = store

    def set(self, quota: Quota) -> None:
        values = msgspec.structs.asdict(quota)
        with self._store.engine.begin() as connection:
            connection.execute(sa.delete(quotas).where(quotas.c.key == quota.key))
            connection.execute(sa.insert(quotas).values(**values))

    def remove(self, key: str) -> bool:
        """Whether there was one."""
        with self._store.engine.begin() as connection:
            return connection.execute(sa.delete(quotas).where(quotas.c.key == key)).rowcount > 0

    def all(self) -> list[Quota]:
        with self._store.engine.connect() as connection:
            rows = connection.execute(sa.select(quotas).order_by(quotas.c.key)).mappings()
            return [_quota(row) for row in rows]

    def take(self, holder: str, wanted: Mapping[Scope, str], seconds: float) -> Full | bool:
        """A place for ``holder`` in all quotas that apply, or in none; False where none applies. It
        is given back by itself after ``seconds``; who has one keeps it."""
        with self._store.engine.connect() as connection:
            applying = _applying(connection, wanted)
        if not applying:
            return False
        with self._store.engine.begin() as connection:
            # Who changes a quota's row first is alone with its places until the end.
            for limit in sorted({limit.key for limit in applying.values()}):
                same = sa.update(quotas).where(quotas.c.key == limit)
                connection.execute(same.values(key=limit))
            now = time.time()
            full = [_full(connection, key, q, holder, now) for key, q in applying.items()]
            refused = [each for each in full if each is not None]
            if refused:
                return max(refused, key=lambda each: each.seconds)
            _give(connection, applying, holder, now, now + seconds)
        return True

    def give_back(self, holder: str) -> None:
        leases = sa.update(quota_leases).where(quota_leases.c.holder == holder)
        with self._store.engine.begin() as connection:
            connection.execute(leases.values(until=time.time()))


def _applying(connection: sa.Connection, wanted: Mapping[Scope, str]) -> dict[str, Quota]:
    """By the key that places are counted under."""
    keys = {f"{scope}:{name}": f"{scope}:*" for scope, name in wanted.items()}
    every = [*keys, *keys.values()]
    rows = connection.execute(sa.select(quotas).where(quotas.c.key.in_(every))).mappings()
    found = {row["key"]: _quota(row) for row in rows}
    named = {key: found.get(key) or found.get(each) for key, each in keys.items()}
    return {key: quota for key, quota in named.items() if quota is not None}


def _full(
    connection: sa.Connection, key: str, quota: Quota, holder: str, now: float
) -> Full | None:
    since, until = quota_leases.c.since, quota_leases.c.until
    mine = quota_leases.c.key == key, quota_leases.c.holder != holder
    forgotten = sa.delete(quota_leases).where(*mine, until < now, since < now - quota.per)
    connection.execute(forgotten)
    if quota.concurrency is not None:
        active = sa.select(sa.func.count()).where(*mine, until > now)
        if connection.execute(active).scalar_one() >= quota.concurrency:
            return Full(quota, LOOK_SECONDS)
    if quota.rate is not None:
        newest = sa.select(since).where(*mine, since > now - quota.per).order_by(since.desc())
        begun: Sequence[float] = connection.execute(newest.limit(quota.rate)).scalars().all()
        if len(begun) >= quota.rate:
            return Full(quota, begun[-1] + quota.per - now)
    return None


def _give(
    connection: sa.Connection, keys: Iterable[str], holder: str, now: float, until: float
) -> None:
    mine = quota_leases.c.holder == holder
    held = set(connection.execute(sa.select(quota_leases.c.key).where(mine)).scalars())
    for key in keys:
        if key in held:
            same = sa.update(quota_leases).where(mine, quota_leases.c.key == key)
            connection.execute(same.values(until=until))
        else:
            fresh = {"key": key, "holder": holder, "since": now, "until": until}
            connection.execute(sa.insert(quota_leases).values(**fresh))


def _quota(row: sa.RowMapping) -> Quota:
    return Quota(row["key"], row["concurrency"], row["rate"], row["per"])
