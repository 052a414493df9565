-- Where checkpoints are kept, which is best, and which turned out to be of no use.
ALTER TABLE checkpoints ADD COLUMN accuracy REAL;              -- of the last evaluation before it; NULL if there was none
ALTER TABLE checkpoints ADD COLUMN store TEXT NOT NULL DEFAULT ''; -- URL of the store that keeps it; '' is the trial's folder
ALTER TABLE checkpoints ADD COLUMN flaw TEXT NOT NULL DEFAULT '';  -- which attempt found why that it cannot be gone on from; '' as far as is known
