-- Where a large source's map lies: which bytes each of its pages needs. Sources of earlier versions have none.
ALTER TABLE source ADD COLUMN map TEXT;                -- JSON: a range of a result object
