-- NULL: still there, ended by itself or with its account, or ended before this was kept (csu/accounts/sessions.py).
ALTER TABLE session ADD COLUMN ended_as text
    CHECK (ended_as IN ('left', 'retaken', 'changed', 'replaced', 'clock'));
