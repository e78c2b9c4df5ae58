-- The figures of all jobs together: what finished jobs add up to is kept, so that only the others are summed up.
ALTER TABLE total ADD COLUMN sources_submitted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE total ADD COLUMN sources_inspected INTEGER NOT NULL DEFAULT 0;
ALTER TABLE total ADD COLUMN sources_rejected INTEGER NOT NULL DEFAULT 0;
ALTER TABLE total ADD COLUMN sources_cancelled INTEGER NOT NULL DEFAULT 0;
ALTER TABLE total ADD COLUMN pages_declared INTEGER NOT NULL DEFAULT 0;
ALTER TABLE total ADD COLUMN pages_recognised INTEGER NOT NULL DEFAULT 0;
ALTER TABLE total ADD COLUMN pages_blank INTEGER NOT NULL DEFAULT 0;
ALTER TABLE total ADD COLUMN pages_kept INTEGER NOT NULL DEFAULT 0;
ALTER TABLE total ADD COLUMN pages_dead INTEGER NOT NULL DEFAULT 0;
ALTER TABLE total ADD COLUMN pages_cancelled INTEGER NOT NULL DEFAULT 0;
ALTER TABLE total ADD COLUMN documents_arranged INTEGER NOT NULL DEFAULT 0;
ALTER TABLE total ADD COLUMN documents_delivered INTEGER NOT NULL DEFAULT 0;
ALTER TABLE total ADD COLUMN documents_failed INTEGER NOT NULL DEFAULT 0;
UPDATE total SET
    sources_submitted = (SELECT coalesce(sum(sources_submitted), 0) FROM job WHERE state IN ('closed', 'cancelled')),
    sources_inspected = (SELECT coalesce(sum(sources_inspected), 0) FROM job WHERE state IN ('closed', 'cancelled')),
    sources_rejected = (SELECT coalesce(sum(sources_rejected), 0) FROM job WHERE state IN ('closed', 'cancelled')),
    sources_cancelled = (SELECT coalesce(sum(sources_cancelled), 0) FROM job WHERE state IN ('closed', 'cancelled')),
    pages_declared = (SELECT coalesce(sum(pages_declared), 0) FROM job WHERE state IN ('closed', 'cancelled')),
    pages_recognised = (SELECT coalesce(sum(pages_recognised), 0) FROM job WHERE state IN ('closed', 'cancelled')),
    pages_blank = (SELECT coalesce(sum(pages_blank), 0) FROM job WHERE state IN ('closed', 'cancelled')),
    pages_kept = (SELECT coalesce(sum(pages_kept), 0) FROM job WHERE state IN ('closed', 'cancelled')),
    pages_dead = (SELECT coalesce(sum(pages_dead), 0) FROM job WHERE state IN ('closed', 'cancelled')),
    pages_cancelled = (SELECT coalesce(sum(pages_cancelled), 0) FROM job WHERE state IN ('closed', 'cancelled')),
    documents_arranged = (SELECT coalesce(sum(documents_arranged), 0) FROM job WHERE state IN ('closed', 'cancelled')),
    documents_delivered = (SELECT coalesce(sum(documents_delivered), 0) FROM job WHERE state IN ('closed', 'cancelled')),
    documents_failed = (SELECT coalesce(sum(documents_failed), 0) FROM job WHERE state IN ('closed', 'cancelled')),
    outcomes_ignored = outcomes_ignored + (SELECT coalesce(sum(outcomes_ignored), 0) FROM job WHERE state IN ('closed', 'cancelled'));

CREATE INDEX job_unfinished ON job (id) WHERE state IN ('draft', 'sealed');

-- Whatever changes a finished job, or makes one of it or none: it leaves the total as it was, and enters it as it is.
CREATE TRIGGER job_leaves_total AFTER UPDATE ON job WHEN OLD.state IN ('closed', 'cancelled') BEGIN
    UPDATE total SET
        sources_submitted = sources_submitted - OLD.sources_submitted,
        sources_inspected = sources_inspected - OLD.sources_inspected,
        sources_rejected = sources_rejected - OLD.sources_rejected,
        sources_cancelled = sources_cancelled - OLD.sources_cancelled,
        pages_declared = pages_declared - OLD.pages_declared,
        pages_recognised = pages_recognised - OLD.pages_recognised, pages_blank = pages_blank - OLD.pages_blank,
        pages_kept = pages_kept - OLD.pages_kept, pages_dead = pages_dead - OLD.pages_dead,
        pages_cancelled = pages_cancelled - OLD.pages_cancelled,
        documents_arranged = documents_arranged - OLD.documents_arranged,
        documents_delivered = documents_delivered - OLD.documents_delivered,
        documents_failed = documents_failed - OLD.documents_failed,
        outcomes_ignored = outcomes_ignored - OLD.outcomes_ignored;
END;
CREATE TRIGGER job_enters_total AFTER UPDATE ON job WHEN NEW.state IN ('closed', 'cancelled') BEGIN
    UPDATE total SET
        sources_submitted = sources_submitted + NEW.sources_submitted,
        sources_inspected = sources_inspected + NEW.sources_inspected,
        sources_rejected = sources_rejected + NEW.sources_rejected,
        sources_cancelled = sources_cancelled + NEW.sources_cancelled,
        pages_declared = pages_declared + NEW.pages_declared,
        pages_recognised = pages_recognised + NEW.pages_recognised, pages_blank = pages_blank + NEW.pages_blank,
        pages_kept = pages_kept + NEW.pages_kept, pages_dead = pages_dead + NEW.pages_dead,
        pages_cancelled = pages_cancelled + NEW.pages_cancelled,
        documents_arranged = documents_arranged + NEW.documents_arranged,
        documents_delivered = documents_delivered + NEW.documents_delivered,
        documents_failed = documents_failed + NEW.documents_failed,
        outcomes_ignored = outcomes_ignored + NEW.outcomes_ignored;
END;
