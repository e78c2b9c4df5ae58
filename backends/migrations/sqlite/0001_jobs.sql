-- A job and its counters. The counters move in the transaction that moves what they count.
CREATE TABLE job (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,                           -- draft, sealed, closed
    generation INTEGER NOT NULL,                   -- grows each time the job is opened again
    recipe TEXT NOT NULL,                          -- JSON
    recipe_key TEXT NOT NULL,
    reading_key TEXT NOT NULL,
    sources_submitted INTEGER NOT NULL DEFAULT 0,
    sources_inspected INTEGER NOT NULL DEFAULT 0,
    sources_rejected INTEGER NOT NULL DEFAULT 0,
    sources_cancelled INTEGER NOT NULL DEFAULT 0,
    pages_declared INTEGER NOT NULL DEFAULT 0,
    pages_recognised INTEGER NOT NULL DEFAULT 0,
    pages_blank INTEGER NOT NULL DEFAULT 0,
    pages_kept INTEGER NOT NULL DEFAULT 0,
    pages_dead INTEGER NOT NULL DEFAULT 0,
    pages_cancelled INTEGER NOT NULL DEFAULT 0,
    documents_arranged INTEGER NOT NULL DEFAULT 0,
    documents_delivered INTEGER NOT NULL DEFAULT 0,
    documents_failed INTEGER NOT NULL DEFAULT 0,
    faults INTEGER NOT NULL DEFAULT 0,
    losses INTEGER NOT NULL DEFAULT 0,
    outcomes_ignored INTEGER NOT NULL DEFAULT 0,
    cpu_ms INTEGER NOT NULL DEFAULT 0,
    pages_read INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE source (
    id INTEGER PRIMARY KEY,
    job INTEGER NOT NULL REFERENCES job ON DELETE CASCADE,
    path TEXT NOT NULL,                            -- as shown to people, unique in the job
    location TEXT NOT NULL,                        -- JSON
    bytes INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    generation INTEGER NOT NULL,                   -- the job's generation that listed it last
    name TEXT NOT NULL,                            -- its document's name, should it be one
    folder TEXT NOT NULL,                          -- its folder's document's name, should it be part of one
    state TEXT NOT NULL,                           -- pending, inspecting, inspected, rejected
    hash TEXT,
    kind TEXT,
    signed INTEGER NOT NULL DEFAULT 0,
    pages INTEGER NOT NULL DEFAULT 0,
    cursor INTEGER NOT NULL DEFAULT 0,             -- the last page that was dispatched
    cursor_end INTEGER NOT NULL DEFAULT 0,         -- the last page that is to be
    document INTEGER,
    ordinal INTEGER NOT NULL DEFAULT 0,            -- its place in the document
    rejection TEXT,                                -- JSON
    faults INTEGER NOT NULL DEFAULT 0,
    losses INTEGER NOT NULL DEFAULT 0,
    UNIQUE (job, path)
);
CREATE INDEX source_to_inspect ON source (job, id) WHERE state = 'pending';
CREATE INDEX source_to_recognise ON source (job, id) WHERE cursor < cursor_end;
CREATE INDEX source_to_arrange ON source (job, id) WHERE state = 'inspected' AND document IS NULL;
CREATE INDEX source_by_document ON source (document, ordinal);
CREATE INDEX source_by_folder ON source (job, folder);

-- Inserted once, at inspect; updated once, by its outcome (faulty pages: once more a fault).
CREATE TABLE page (
    source INTEGER NOT NULL REFERENCES source ON DELETE CASCADE,
    number INTEGER NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    dpi_x_milli INTEGER NOT NULL,
    dpi_y_milli INTEGER NOT NULL,
    dpi_rule TEXT NOT NULL,
    state TEXT NOT NULL,
    faults INTEGER NOT NULL DEFAULT 0,
    losses INTEGER NOT NULL DEFAULT 0,
    reason TEXT,                                   -- why it is dead or last failed: a stable code
    detail TEXT,                                   -- the same in words
    result TEXT,                                   -- JSON
    summary TEXT,                                  -- JSON
    fingerprint TEXT,
    PRIMARY KEY (source, number)
) WITHOUT ROWID;

-- Pages that are to be dispatched again, out of their turn.
CREATE TABLE retry (
    source INTEGER NOT NULL,
    number INTEGER NOT NULL,
    step TEXT NOT NULL,                            -- retry, alone, degraded
    PRIMARY KEY (source, number),
    FOREIGN KEY (source, number) REFERENCES page ON DELETE CASCADE
) WITHOUT ROWID;

-- Open shards: the outbox. A row lives until its outcome is taken.
CREATE TABLE shard (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    job INTEGER NOT NULL REFERENCES job ON DELETE CASCADE,
    stage TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    contents TEXT NOT NULL                         -- JSON: which sources, pages or document
);

CREATE TABLE document (
    id INTEGER PRIMARY KEY,
    job INTEGER NOT NULL REFERENCES job ON DELETE CASCADE,
    name TEXT NOT NULL,
    state TEXT NOT NULL,                           -- open, assembling, delivered, failed
    pages_open INTEGER NOT NULL,                   -- pages that are not final yet
    losses INTEGER NOT NULL DEFAULT 0,
    gaps TEXT NOT NULL DEFAULT '[]',               -- JSON
    UNIQUE (job, name)
);
CREATE INDEX document_ready ON document (job, id) WHERE state = 'open' AND pages_open = 0;

CREATE TABLE artifact (
    document INTEGER NOT NULL REFERENCES document ON DELETE CASCADE,
    name TEXT NOT NULL,
    format TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    hash TEXT NOT NULL,
    PRIMARY KEY (document, name)
) WITHOUT ROWID;
CREATE INDEX artifact_by_name ON artifact (name);

-- Artifacts of documents that are no more: removed when the job closes, unless a new document took the name.
CREATE TABLE superseded (
    job INTEGER NOT NULL REFERENCES job ON DELETE CASCADE,
    name TEXT NOT NULL,
    PRIMARY KEY (job, name)
) WITHOUT ROWID;

-- Names of documents, once given never changed, even when their source comes and goes.
CREATE TABLE name (
    job INTEGER NOT NULL REFERENCES job ON DELETE CASCADE,
    owner TEXT NOT NULL,                           -- 'source:' or 'folder:' and its path
    folded TEXT NOT NULL,                          -- as a file system that ignores case and form would see it
    name TEXT NOT NULL,
    PRIMARY KEY (job, owner),
    UNIQUE (job, folded)
) WITHOUT ROWID;

CREATE TABLE fingerprint (
    fingerprint TEXT PRIMARY KEY
) WITHOUT ROWID;
