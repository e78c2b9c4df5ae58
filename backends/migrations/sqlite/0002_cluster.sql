-- Jobs of several tenants, leadership, workers, dead letters. Runs with foreign keys off: tables are replaced.
CREATE TABLE job_next (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant TEXT NOT NULL,
    key TEXT NOT NULL,                             -- the submitter's, unique in the tenant
    state TEXT NOT NULL,                           -- draft, sealed, closed, cancelled
    generation INTEGER NOT NULL,                   -- grows each time the job is opened again
    recipe TEXT NOT NULL,                          -- JSON
    recipe_key TEXT NOT NULL,
    reading_key TEXT NOT NULL,
    priority INTEGER NOT NULL DEFAULT 5,
    deadline INTEGER,                              -- seconds since 1970
    created INTEGER NOT NULL DEFAULT 0,            -- seconds since 1970
    closed INTEGER,                                -- seconds since 1970
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
    pages_read INTEGER NOT NULL DEFAULT 0,
    UNIQUE (tenant, key)
);
INSERT INTO job_next (id, tenant, key, state, generation, recipe, recipe_key, reading_key, sources_submitted,
    sources_inspected, sources_rejected, sources_cancelled, pages_declared, pages_recognised, pages_blank, pages_kept,
    pages_dead, pages_cancelled, documents_arranged, documents_delivered, documents_failed, faults, losses,
    outcomes_ignored, cpu_ms, pages_read)
SELECT id, 'default', key, state, generation, recipe, recipe_key, reading_key, sources_submitted,
    sources_inspected, sources_rejected, sources_cancelled, pages_declared, pages_recognised, pages_blank, pages_kept,
    pages_dead, pages_cancelled, documents_arranged, documents_delivered, documents_failed, faults, losses,
    outcomes_ignored, cpu_ms, pages_read FROM job;
DROP TABLE job;
ALTER TABLE job_next RENAME TO job;
CREATE INDEX job_by_urgency ON job (priority DESC, deadline, id) WHERE state = 'sealed';

CREATE INDEX source_by_job ON source (job, id);

ALTER TABLE shard ADD COLUMN express BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE shard ADD COLUMN beats INTEGER NOT NULL DEFAULT 0;    -- beats that named this attempt
ALTER TABLE shard ADD COLUMN worker TEXT;                         -- who named it last
CREATE INDEX shard_by_job ON shard (job, id);

-- Pages that are to be dispatched again, out of their turn.
CREATE TABLE retry_next (
    job INTEGER NOT NULL,
    source INTEGER NOT NULL,
    number INTEGER NOT NULL,
    step TEXT NOT NULL,                            -- JSON: retry, alone, degraded
    PRIMARY KEY (job, source, number)
) WITHOUT ROWID;
INSERT INTO retry_next (job, source, number, step)
    SELECT source.job, retry.source, retry.number, retry.step FROM retry JOIN source ON source.id = retry.source;
DROP TABLE retry;
ALTER TABLE retry_next RENAME TO retry;

-- What pages were read with, and how many of a job with which.
CREATE TABLE fingerprint_next (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    fingerprint TEXT NOT NULL UNIQUE
);
INSERT INTO fingerprint_next (fingerprint) SELECT fingerprint FROM fingerprint;
DROP TABLE fingerprint;
ALTER TABLE fingerprint_next RENAME TO fingerprint;
ALTER TABLE page ADD COLUMN read_by INTEGER;       -- a fingerprint
UPDATE page SET read_by = (SELECT id FROM fingerprint WHERE fingerprint.fingerprint = page.fingerprint);
ALTER TABLE page DROP COLUMN fingerprint;
CREATE TABLE job_fingerprint (
    job INTEGER NOT NULL,
    fingerprint INTEGER NOT NULL,
    pages INTEGER NOT NULL,
    PRIMARY KEY (job, fingerprint)
) WITHOUT ROWID;
INSERT INTO job_fingerprint (job, fingerprint, pages)
    SELECT source.job, page.read_by, count(*) FROM page JOIN source ON source.id = page.source
    WHERE page.read_by IS NOT NULL GROUP BY source.job, page.read_by;

-- Dead pages, and rejected sources as number 0.
CREATE TABLE dead_letter (
    source INTEGER NOT NULL,
    number INTEGER NOT NULL,
    job INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    PRIMARY KEY (source, number)
) WITHOUT ROWID;
CREATE INDEX dead_letter_by_job ON dead_letter (job, source, number);
CREATE INDEX dead_letter_by_tenant ON dead_letter (tenant, source, number);
INSERT INTO dead_letter (source, number, job, tenant)
    SELECT page.source, page.number, source.job, 'default' FROM page JOIN source ON source.id = page.source
    WHERE page.state = 'dead'
    UNION ALL SELECT id, 0, job, 'default' FROM source WHERE state = 'rejected';

ALTER TABLE artifact ADD COLUMN job INTEGER NOT NULL DEFAULT 0;
UPDATE artifact SET job = (SELECT job FROM document WHERE document.id = artifact.document);
DROP INDEX artifact_by_name;
CREATE INDEX artifact_by_name ON artifact (job, name);

-- One row: who leads.
CREATE TABLE leader (
    epoch INTEGER NOT NULL PRIMARY KEY,            -- the number of this leadership
    beat INTEGER NOT NULL,                         -- moves while the leader lives
    holder TEXT NOT NULL
);
INSERT INTO leader (epoch, beat, holder) VALUES (0, 0, '');

-- One row: what belongs to no job that is known.
CREATE TABLE total (
    id INTEGER NOT NULL PRIMARY KEY,
    outcomes_ignored INTEGER NOT NULL DEFAULT 0
);
INSERT INTO total (id) VALUES (1);

CREATE TABLE worker (
    name TEXT NOT NULL PRIMARY KEY,
    version TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    slots INTEGER NOT NULL,
    slots_busy INTEGER NOT NULL,
    directive TEXT NOT NULL DEFAULT 'serve',       -- serve, cordon, drain
    beat INTEGER NOT NULL                          -- seconds since 1970
);
