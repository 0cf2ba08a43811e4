"""Durable state. ``Store`` opens the database and gives one table object per noun."""

from ostler.store.database import MEMORY, Database, StoreFailure
from ostler.store.store import Store

__all__ = ["MEMORY", "Database", "Store", "StoreFailure"]
