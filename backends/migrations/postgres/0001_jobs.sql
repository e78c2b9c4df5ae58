-- No foreign keys: pages come by the thousand, and whoever removes a row removes what hangs on it.
-- Whoever writes to what belongs to a job holds the lock of the job's row.

-- A job and its counters. The counters move in the transaction that moves what they count.
CREATE TABLE job (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant TEXT NOT NULL,
    key TEXT NOT NULL,                             -- the submitter's, unique in the tenant
    state TEXT NOT NULL,                           -- draft, sealed, closed, cancelled
    generation BIGINT NOT NULL,                    -- grows each time the job is opened again
    recipe TEXT NOT NULL,                          -- JSON
    recipe_key TEXT NOT NULL,
    reading_key TEXT NOT NULL,
    priority BIGINT NOT NULL,
    deadline BIGINT,                               -- seconds since 1970
    created BIGINT NOT NULL,                       -- seconds since 1970
    closed BIGINT,                                 -- seconds since 1970
    sources_submitted BIGINT NOT NULL DEFAULT 0,
    sources_inspected BIGINT NOT NULL DEFAULT 0,
    sources_rejected BIGINT NOT NULL DEFAULT 0,
    sources_cancelled BIGINT NOT NULL DEFAULT 0,
    pages_declared BIGINT NOT NULL DEFAULT 0,
    pages_recognised BIGINT NOT NULL DEFAULT 0,
    pages_blank BIGINT NOT NULL DEFAULT 0,
    pages_kept BIGINT NOT NULL DEFAULT 0,
    pages_dead BIGINT NOT NULL DEFAULT 0,
    pages_cancelled BIGINT NOT NULL DEFAULT 0,
    documents_arranged BIGINT NOT NULL DEFAULT 0,
    documents_delivered BIGINT NOT NULL DEFAULT 0,
    documents_failed BIGINT NOT NULL DEFAULT 0,
    faults BIGINT NOT NULL DEFAULT 0,
    losses BIGINT NOT NULL DEFAULT 0,
    outcomes_ignored BIGINT NOT NULL DEFAULT 0,
    cpu_ms BIGINT NOT NULL DEFAULT 0,
    pages_read BIGINT NOT NULL DEFAULT 0,
    UNIQUE (tenant, key)
) WITH (fillfactor = 50);
CREATE INDEX job_by_urgency ON job (priority DESC, deadline, id) WHERE state = 'sealed';

CREATE TABLE source (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job BIGINT NOT NULL,
    path TEXT NOT NULL,                            -- as shown to people, unique in the job
    location TEXT NOT NULL,                        -- JSON
    bytes BIGINT NOT NULL,
    modified_ns BIGINT NOT NULL,
    inode BIGINT NOT NULL,
    generation BIGINT NOT NULL,                    -- the job's generation that listed it last
    name TEXT NOT NULL,                            -- its document's name, should it be one
    folder TEXT NOT NULL,                          -- its folder's document's name, should it be part of one
    state TEXT NOT NULL,                           -- pending, inspecting, inspected, rejected
    hash TEXT,
    kind TEXT,
    signed BOOLEAN NOT NULL DEFAULT FALSE,
    pages BIGINT NOT NULL DEFAULT 0,
    cursor BIGINT NOT NULL DEFAULT 0,              -- the last page that was dispatched
    cursor_end BIGINT NOT NULL DEFAULT 0,          -- the last page that is to be
    document BIGINT,
    ordinal BIGINT NOT NULL DEFAULT 0,             -- its place in the document
    rejection TEXT,                                -- JSON
    faults BIGINT NOT NULL DEFAULT 0,
    losses BIGINT NOT NULL DEFAULT 0,
    UNIQUE (job, path)
);
CREATE INDEX source_by_job ON source (job, id);
CREATE INDEX source_to_inspect ON source (job, id) WHERE state = 'pending';
CREATE INDEX source_to_recognise ON source (job, id) WHERE cursor < cursor_end;
CREATE INDEX source_to_arrange ON source (job, id) WHERE state = 'inspected' AND document IS NULL;
CREATE INDEX source_by_document ON source (document, ordinal);
CREATE INDEX source_by_folder ON source (job, folder);

-- Inserted once, at inspect; updated once, by its outcome (faulty pages: once more a fault).
CREATE TABLE page (
    source BIGINT NOT NULL,
    number BIGINT NOT NULL,
    width BIGINT NOT NULL,
    height BIGINT NOT NULL,
    dpi_x_milli BIGINT NOT NULL,
    dpi_y_milli BIGINT NOT NULL,
    dpi_rule TEXT NOT NULL,
    state TEXT NOT NULL,
    faults BIGINT NOT NULL DEFAULT 0,
    losses BIGINT NOT NULL DEFAULT 0,
    read_by BIGINT,                                -- a fingerprint
    reason TEXT,                                   -- why it is dead or last failed: a stable code
    detail TEXT,                                   -- the same in words
    result TEXT,                                   -- JSON
    summary TEXT,                                  -- JSON
    PRIMARY KEY (source, number)
);

-- Pages that are to be dispatched again, out of their turn.
CREATE TABLE retry (
    job BIGINT NOT NULL,
    source BIGINT NOT NULL,
    number BIGINT NOT NULL,
    step TEXT NOT NULL,                            -- JSON: retry, alone, degraded
    PRIMARY KEY (job, source, number)
);

-- Open shards: the outbox. A row lives until its outcome is taken.
CREATE TABLE shard (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job BIGINT NOT NULL,
    stage TEXT NOT NULL,
    attempt BIGINT NOT NULL,
    express BOOLEAN NOT NULL,
    contents TEXT NOT NULL,                        -- JSON: which sources, pages or document
    beats BIGINT NOT NULL DEFAULT 0,               -- beats that named this attempt
    worker TEXT                                    -- who named it last
) WITH (fillfactor = 50);
CREATE INDEX shard_by_job ON shard (job, id);

CREATE TABLE document (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job BIGINT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL,                           -- open, assembling, delivered, failed
    pages_open BIGINT NOT NULL,                    -- pages that are not final yet
    losses BIGINT NOT NULL DEFAULT 0,
    gaps TEXT NOT NULL DEFAULT '[]',               -- JSON
    UNIQUE (job, name)
);
CREATE INDEX document_by_job ON document (job, id);
CREATE INDEX document_ready ON document (job, id) WHERE state = 'open' AND pages_open = 0;

CREATE TABLE artifact (
    document BIGINT NOT NULL,
    job BIGINT NOT NULL,
    name TEXT NOT NULL,
    format TEXT NOT NULL,
    bytes BIGINT NOT NULL,
    hash TEXT NOT NULL,
    PRIMARY KEY (document, name)
);
CREATE INDEX artifact_by_name ON artifact (job, name);

-- Artifacts of documents that are no more: removed when the job closes, unless a new document took the name.
CREATE TABLE superseded (
    job BIGINT NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (job, name)
);

-- Names of documents, once given never changed, even when their source comes and goes.
CREATE TABLE name (
    job BIGINT NOT NULL,
    owner TEXT NOT NULL,                           -- 'source:' or 'folder:' and its path
    folded TEXT NOT NULL,                          -- as a file system that ignores case and form would see it
    name TEXT NOT NULL,
    PRIMARY KEY (job, owner),
    UNIQUE (job, folded)
);

-- What pages were read with, and how many of a job with which.
CREATE TABLE fingerprint (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    fingerprint TEXT NOT NULL UNIQUE
);
CREATE TABLE job_fingerprint (
    job BIGINT NOT NULL,
    fingerprint BIGINT NOT NULL,
    pages BIGINT NOT NULL,
    PRIMARY KEY (job, fingerprint)
);

-- Dead pages, and rejected sources as number 0.
CREATE TABLE dead_letter (
    source BIGINT NOT NULL,
    number BIGINT NOT NULL,
    job BIGINT NOT NULL,
    tenant TEXT NOT NULL,
    PRIMARY KEY (source, number)
);
CREATE INDEX dead_letter_by_job ON dead_letter (job, source, number);
CREATE INDEX dead_letter_by_tenant ON dead_letter (tenant, source, number);

-- One row: who leads. The epoch is the key: taking over waits for writes under the earlier epoch, a beat does not.
CREATE TABLE leader (
    epoch BIGINT NOT NULL PRIMARY KEY,             -- the number of this leadership
    beat BIGINT NOT NULL,                          -- moves while the leader lives
    holder TEXT NOT NULL
) WITH (fillfactor = 50);
INSERT INTO leader (epoch, beat, holder) VALUES (0, 0, '');

-- One row: what belongs to no job that is known.
CREATE TABLE total (
    id BIGINT NOT NULL PRIMARY KEY,
    outcomes_ignored BIGINT NOT NULL DEFAULT 0
);
INSERT INTO total (id) VALUES (1);

CREATE TABLE worker (
    name TEXT NOT NULL PRIMARY KEY,
    version TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    slots BIGINT NOT NULL,
    slots_busy BIGINT NOT NULL,
    directive TEXT NOT NULL DEFAULT 'serve',       -- serve, cordon, drain
    beat BIGINT NOT NULL                           -- seconds since 1970
);
