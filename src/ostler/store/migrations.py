"""The schema, as the list of steps that lead to it; ``PRAGMA user_version`` counts those taken.

``seq`` is a row's place in the server's order and never changes; ``rev`` is the number of its last
change, by which a client that reconnects finds what it missed. ``data`` is the record's JSON
without the ids that stand in columns (see codec.py).
"""

MIGRATIONS: list[str] = [
    """
CREATE TABLE project (
  id TEXT PRIMARY KEY,
  data TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE session (
  seq INTEGER PRIMARY KEY,
  rev INTEGER NOT NULL,
  id TEXT NOT NULL UNIQUE,
  parent TEXT,
  project TEXT NOT NULL,
  directory TEXT NOT NULL,
  updated INTEGER NOT NULL,
  archived INTEGER NOT NULL DEFAULT 0,
  data TEXT NOT NULL
);
CREATE INDEX session_rev ON session (rev);
CREATE INDEX session_project ON session (project, updated);
CREATE INDEX session_directory ON session (directory, updated);
CREATE INDEX session_parent ON session (parent) WHERE parent IS NOT NULL;
CREATE TABLE message (
  seq INTEGER PRIMARY KEY,
  rev INTEGER NOT NULL,
  session INTEGER NOT NULL,
  id TEXT NOT NULL,
  data TEXT NOT NULL
);
CREATE UNIQUE INDEX message_id ON message (id);
CREATE INDEX message_session ON message (session);
CREATE INDEX message_rev ON message (rev);
CREATE TABLE part (
  seq INTEGER PRIMARY KEY,
  rev INTEGER NOT NULL,
  session INTEGER NOT NULL,
  message INTEGER NOT NULL,
  id TEXT NOT NULL,
  data TEXT NOT NULL
);
CREATE INDEX part_message ON part (session, message);
CREATE INDEX part_rev ON part (rev);
CREATE TABLE tombstone (
  seq INTEGER PRIMARY KEY,
  directory TEXT NOT NULL,
  project TEXT NOT NULL,
  kind TEXT NOT NULL,
  properties TEXT NOT NULL
);
CREATE TABLE todo (
  session INTEGER PRIMARY KEY,
  data TEXT NOT NULL
);
CREATE TABLE turn (
  session INTEGER PRIMARY KEY,
  owner TEXT NOT NULL,
  started INTEGER NOT NULL
);
""",
]
