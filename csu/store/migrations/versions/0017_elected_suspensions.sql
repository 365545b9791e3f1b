-- The role of who suspended it, while it is suspended; NULL also for what was suspended before this was kept
-- (csu/territory/suspensions.py).
ALTER TABLE convention ADD COLUMN suspended_as text
    CHECK (suspended_as IS NULL OR suspended_at IS NOT NULL);
