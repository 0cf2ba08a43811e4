"""Durable state. ``Store`` opens the database and gives one table object per noun."""

from ostler.schema.errors import StoreFailure
from ostler.store.database import MEMORY, Database
from ostler.store.store import Store

__all__ = ["MEMORY", "Database", "Store", "StoreFailure"]
