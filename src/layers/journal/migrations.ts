/** The tables of `queen/journal.sqlite`. Only ever appended to. */
import type { Migrations } from "../sqlite/open.ts"

export const migrations: Migrations = [
  {
    name: "jobs",
    statements: [
      // `n` keeps the other tables' keys short. `first_run`: the job's runs begin there or later; `runs`: where they
      // are, written at its end (see runs.ts)
      `CREATE TABLE jobs (
        n INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        request TEXT NOT NULL,
        key TEXT UNIQUE,
        created_at REAL NOT NULL,
        ended_at REAL,
        facts TEXT NOT NULL,
        first_run INTEGER NOT NULL,
        runs TEXT
      ) STRICT`,
      `CREATE INDEX jobs_unfinished ON jobs (n) WHERE ended_at IS NULL`,
      `CREATE TABLE events (
        job INTEGER NOT NULL,
        id INTEGER NOT NULL,
        event TEXT NOT NULL,
        data TEXT NOT NULL,
        PRIMARY KEY (job, id)
      ) STRICT, WITHOUT ROWID`,
      // Runs of tokens in the order of writing, all jobs together: one page takes a whole turn, where a page a job and
      // turn would cost three times as much. `first_id` 0: kept for failover, not part of the sequence.
      `CREATE TABLE runs (
        seq INTEGER PRIMARY KEY,
        job INTEGER NOT NULL,
        first_id INTEGER NOT NULL,
        first_index INTEGER NOT NULL,
        texts TEXT NOT NULL,
        token_ids TEXT NOT NULL
      ) STRICT`
    ]
  },
  {
    name: "long requests apart from what changes",
    // a row is written whole, whatever changes in it: one of 20 MB took a quarter of a second at each change of its facts
    statements: ["CREATE TABLE requests (job INTEGER PRIMARY KEY, request TEXT NOT NULL) STRICT"]
  },
  {
    name: "long requests as files",
    // those of before go back into their rows (see long-requests.ts)
    statements: [
      `UPDATE jobs SET request = (SELECT request FROM requests WHERE job = n) WHERE n IN (SELECT job FROM requests)`,
      `DROP TABLE requests`
    ]
  },
  {
    name: "what keys have used, by day",
    // beside the jobs, which are forgotten sooner: what is charged is written in the commit that ends the job
    statements: [
      `CREATE TABLE usage (
        key TEXT NOT NULL,
        day TEXT NOT NULL,
        jobs INTEGER NOT NULL,
        prompt_tokens INTEGER NOT NULL,
        cached_tokens INTEGER NOT NULL,
        completion_tokens INTEGER NOT NULL,
        device_s REAL NOT NULL,
        PRIMARY KEY (key, day)
      ) STRICT, WITHOUT ROWID`
    ]
  },
  {
    name: "what is forgotten is found without a look at the rest",
    statements: [
      `CREATE INDEX jobs_ended ON jobs (n) WHERE ended_at IS NOT NULL`,
      `CREATE INDEX jobs_ended_at ON jobs (ended_at) WHERE ended_at IS NOT NULL`,
      // rows of runs whose job is gone, some hundred a row: they are removed one row a turn (see forgetting.ts)
      `CREATE TABLE leftovers (id INTEGER PRIMARY KEY, runs TEXT NOT NULL) STRICT`
    ]
  }
]
