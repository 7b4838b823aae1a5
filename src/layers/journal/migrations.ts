/** The tables of `queen/journal.sqlite`. Only ever appended to. */
import type { Migrations } from "../sqlite/open.ts"

export const migrations: Migrations = [
  {
    name: "jobs",
    statements: [
      // `n` keeps the other tables' keys short
      `CREATE TABLE jobs (
        n INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        request TEXT NOT NULL,
        key TEXT UNIQUE,
        created_at REAL NOT NULL,
        ended_at REAL,
        facts TEXT NOT NULL
      ) STRICT`,
      `CREATE INDEX jobs_unfinished ON jobs (n) WHERE ended_at IS NULL`,
      // a row is one event, or (token_ids is not null) a run of tokens that begins at `id`
      `CREATE TABLE events (
        job INTEGER NOT NULL,
        id INTEGER NOT NULL,
        count INTEGER NOT NULL,
        event TEXT NOT NULL,
        first_index INTEGER,
        data TEXT NOT NULL,
        token_ids TEXT,
        PRIMARY KEY (job, id)
      ) STRICT, WITHOUT ROWID`,
      // tokens of answers that are not streamed: kept for failover, never shown one by one
      `CREATE TABLE held_tokens (
        job INTEGER NOT NULL,
        first_index INTEGER NOT NULL,
        data TEXT NOT NULL,
        token_ids TEXT NOT NULL,
        PRIMARY KEY (job, first_index)
      ) STRICT, WITHOUT ROWID`
    ]
  }
]
