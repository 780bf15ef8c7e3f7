-- Documents that came back from a backup or from the store alone, and that nobody has confirmed since.

ALTER TABLE kho.document DROP CONSTRAINT document_state_check;
ALTER TABLE kho.document ADD CONSTRAINT document_state_check
    CHECK (state IN ('RECEIVED', 'VALID', 'INVALID', 'PENDING_EVIDENCE', 'RESTORED_UNCONFIRMED'));
