-- The whole schema as it is now, to be read; the server itself applies migrations/. A test builds a database from each
-- and finds no difference: whoever writes a migration changes this file too.

CREATE SCHEMA kho;

-- One row: which store and repository this database belongs to; a data folder with another store id is refused.
CREATE TABLE kho.store (
    is_only       boolean     PRIMARY KEY DEFAULT true CHECK (is_only),
    store_id      uuid        NOT NULL,
    repository_id text        NOT NULL CHECK (repository_id ~ '^[A-Z][0-9]{2}$'),
    access_key    bytea       NOT NULL CHECK (octet_length(access_key) = 32), -- keys the hash of what was asked
    created_at    timestamptz NOT NULL
);

-------------------------------------------------------------------------------------------------- events

-- What happened; append-only. `position` is given after commit by the one sequencer, never by an identity column:
-- a reader of identity values misses the earlier number of a slow transaction.
CREATE TABLE kho.event (
    event_id     uuid        PRIMARY KEY,
    subject_kind text        NOT NULL,
    subject_id   text        NOT NULL,
    kind         text        NOT NULL,
    principal_id uuid,
    officer_id   text,
    reason       text,
    at           timestamptz NOT NULL,
    commitment   bytea       NOT NULL CHECK (octet_length(commitment) = 32), -- SHA-256(salt || canonical payload)
    position     bigint      UNIQUE CHECK (position > 0)
);
-- Query: the sequencer asks for events without a position.
CREATE INDEX event_awaiting_position ON kho.event (at, event_id) WHERE position IS NULL;
-- Query: the history of one subject.
CREATE INDEX event_of_subject ON kho.event (subject_kind, subject_id, at);

-- What an event says; deletable, so that erasure stays possible while the commitment remains.
CREATE TABLE kho.event_payload (
    event_id uuid  PRIMARY KEY REFERENCES kho.event,
    salt     bytea NOT NULL CHECK (octet_length(salt) = 16),
    payload  jsonb NOT NULL
);

-- An event is never changed; only its position may be given once.
CREATE FUNCTION kho.event_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.position IS NULL
       AND (NEW.event_id, NEW.subject_kind, NEW.subject_id, NEW.kind, NEW.at, NEW.commitment)
           = (OLD.event_id, OLD.subject_kind, OLD.subject_id, OLD.kind, OLD.at, OLD.commitment)
       AND NEW.principal_id IS NOT DISTINCT FROM OLD.principal_id
       AND NEW.officer_id IS NOT DISTINCT FROM OLD.officer_id
       AND NEW.reason IS NOT DISTINCT FROM OLD.reason THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'events are append-only' USING ERRCODE = 'restrict_violation', CONSTRAINT = 'event_is_append_only';
END $$;
CREATE TRIGGER event_is_append_only BEFORE UPDATE OR DELETE ON kho.event
    FOR EACH ROW EXECUTE FUNCTION kho.event_is_append_only();

---------------------------------------------------------------------------------- projections: registry

CREATE TABLE kho.agency (
    agency_uuid   uuid        PRIMARY KEY,
    agency_id     text        NOT NULL CONSTRAINT agency_id_taken UNIQUE
                              CHECK (agency_id ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    registered_at timestamptz NOT NULL,
    revoked_at    timestamptz
);

-- Codes are never given to another agency: the key is primary.
CREATE TABLE kho.agency_code (
    code_key    text NOT NULL,
    code        text NOT NULL,
    agency_uuid uuid NOT NULL REFERENCES kho.agency,
    valid_from  date,
    valid_to    date,
    CONSTRAINT agency_code_taken PRIMARY KEY (code_key),
    CHECK (valid_to >= valid_from)
);
-- Query: the codes of an agency.
CREATE INDEX agency_code_of_agency ON kho.agency_code (agency_uuid);

CREATE TABLE kho.agency_name (
    agency_uuid uuid NOT NULL REFERENCES kho.agency,
    ordinal     int  NOT NULL,
    name        text NOT NULL,
    valid_from  date,
    valid_to    date,
    PRIMARY KEY (agency_uuid, ordinal),
    CHECK (valid_to >= valid_from)
);

CREATE TABLE kho.officer (
    agency_uuid  uuid NOT NULL CONSTRAINT agency_unknown REFERENCES kho.agency,
    officer_id   text NOT NULL,
    display_name text NOT NULL,
    valid_from   date,
    valid_to     date,
    revoked_at   timestamptz,
    CONSTRAINT officer_id_taken PRIMARY KEY (agency_uuid, officer_id),
    CHECK (valid_to >= valid_from)
);

CREATE TABLE kho.principal (
    principal_id       uuid        CONSTRAINT principal_id_taken PRIMARY KEY,
    kind               text        NOT NULL
        CHECK (kind IN ('station', 'agency_system', 'portal', 'operator', 'administrator')),
    agency_uuid        uuid        CONSTRAINT agency_unknown REFERENCES kho.agency,
    display_name       text        NOT NULL,
    certificate_sha256 text        CHECK (certificate_sha256 ~ '^[0-9a-f]{64}$'),
    issuer_key_sha256  text        CHECK (issuer_key_sha256 ~ '^[0-9a-f]{64}$'),
    subject            text,
    default_officer_id text,
    valid_from         timestamptz NOT NULL,
    valid_to           timestamptz,
    revoked_at         timestamptz,
    CHECK (valid_to > valid_from),
    -- A caller is known by its certificate, or by its issuer's key and its subject: one of the two.
    CONSTRAINT principal_has_one_credential CHECK (
        (certificate_sha256 IS NOT NULL AND issuer_key_sha256 IS NULL AND subject IS NULL)
        OR (certificate_sha256 IS NULL AND issuer_key_sha256 IS NOT NULL AND subject IS NOT NULL)),
    -- Stations and systems act for an agency; those who watch and register act for none.
    CONSTRAINT principal_agency_fits_kind CHECK (
        (kind IN ('station', 'agency_system')) = (agency_uuid IS NOT NULL)),
    CONSTRAINT officer_unknown
        FOREIGN KEY (agency_uuid, default_officer_id) REFERENCES kho.officer (agency_uuid, officer_id)
);
-- Query: who is this certificate? Also forbids two living registrations of one credential.
CREATE UNIQUE INDEX principal_certificate_taken ON kho.principal (certificate_sha256) WHERE revoked_at IS NULL;
CREATE UNIQUE INDEX principal_subject_taken ON kho.principal (issuer_key_sha256, subject) WHERE revoked_at IS NULL;
-- Query: was this certificate revoked?
CREATE INDEX principal_by_certificate ON kho.principal (certificate_sha256);
CREATE INDEX principal_by_subject ON kho.principal (issuer_key_sha256, subject);

CREATE TABLE kho.access_grant (
    grant_id     uuid CONSTRAINT grant_id_taken PRIMARY KEY,
    grantor_uuid uuid NOT NULL CONSTRAINT grantor_unknown REFERENCES kho.agency,
    grantee_uuid uuid NOT NULL CONSTRAINT grantee_unknown REFERENCES kho.agency,
    action       text NOT NULL CHECK (action IN ('reuse', 'issue')),
    type_code    text,
    valid_from   date NOT NULL,
    valid_to     date,
    ground       text NOT NULL,
    revoked_at   timestamptz,
    CONSTRAINT grant_between_two CHECK (grantor_uuid <> grantee_uuid),
    CHECK (valid_to >= valid_from)
);
-- Query: may this agency have results of that one?
CREATE INDEX access_grant_of_pair ON kho.access_grant (grantee_uuid, grantor_uuid, action) WHERE revoked_at IS NULL;

-- The registry as it is read: each row with the ids and texts that belong to it. Codes that began last come first.
CREATE VIEW kho.registered_agency AS
SELECT a.agency_uuid, a.agency_id, a.registered_at, a.revoked_at,
       coalesce((SELECT jsonb_agg(jsonb_build_array(c.code, c.code_key, c.valid_from, c.valid_to)
                                  ORDER BY c.valid_from DESC NULLS LAST, c.code_key)
                 FROM kho.agency_code AS c WHERE c.agency_uuid = a.agency_uuid), '[]') AS codes,
       coalesce((SELECT jsonb_agg(jsonb_build_array(n.name, n.valid_from, n.valid_to) ORDER BY n.ordinal)
                 FROM kho.agency_name AS n WHERE n.agency_uuid = a.agency_uuid), '[]') AS names
FROM kho.agency AS a;

CREATE VIEW kho.registered_officer AS
SELECT o.agency_uuid, a.agency_id, o.officer_id, o.display_name, o.valid_from, o.valid_to, o.revoked_at
FROM kho.officer AS o
JOIN kho.agency AS a USING (agency_uuid);

CREATE VIEW kho.registered_principal AS
SELECT p.principal_id, p.kind, p.agency_uuid, a.agency_id, p.display_name, p.certificate_sha256,
       p.issuer_key_sha256, p.subject, p.default_officer_id, p.valid_from, p.valid_to, p.revoked_at,
       a.revoked_at AS agency_revoked_at
FROM kho.principal AS p
LEFT JOIN kho.agency AS a USING (agency_uuid);

CREATE VIEW kho.registered_grant AS
SELECT g.grant_id, g.grantor_uuid, f.agency_id AS grantor_id, g.grantee_uuid, t.agency_id AS grantee_id, g.action,
       g.type_code, g.valid_from, g.valid_to, g.ground, g.revoked_at
FROM kho.access_grant AS g
JOIN kho.agency AS f ON f.agency_uuid = g.grantor_uuid
JOIN kho.agency AS t ON t.agency_uuid = g.grantee_uuid;

--------------------------------------------------------------------------------- projections: documents

-- A dossier as one agency knows it: that another agency has one of this code is not for strangers to learn.
CREATE TABLE kho.dossier (
    agency_uuid    uuid        NOT NULL REFERENCES kho.agency,
    code_key       text        NOT NULL,
    code           text        NOT NULL,
    procedure_key  text        NOT NULL, -- short form, for matching
    procedure_code text        NOT NULL,
    first_seen_at  timestamptz NOT NULL,
    PRIMARY KEY (agency_uuid, code_key)
);

CREATE TABLE kho.document (
    document_uuid uuid        PRIMARY KEY, -- the opaque resource name
    agency_uuid   uuid        NOT NULL REFERENCES kho.agency,
    document_id   uuid        NOT NULL, -- made by the client
    kind          text        NOT NULL CHECK (kind IN ('result', 'processing', 'component')),
    lane          text        NOT NULL CHECK (lane IN ('new', 'backlog')),
    dossier_key   text        NOT NULL,
    copy_form     text        CHECK (copy_form IN ('SAO Y', 'SAO LỤC', 'TRÍCH SAO')),
    copy_of       uuid        REFERENCES kho.document,
    version       int         NOT NULL CHECK (version >= 1),
    state         text        NOT NULL
        CHECK (state IN ('RECEIVED', 'VALID', 'INVALID', 'PENDING_EVIDENCE', 'RESTORED_UNCONFIRMED')),
    created_at    timestamptz NOT NULL,
    CONSTRAINT document_id_taken UNIQUE (agency_uuid, document_id),
    CONSTRAINT dossier_unknown FOREIGN KEY (agency_uuid, dossier_key) REFERENCES kho.dossier
);
-- Query: documents of an agency, newest first.
CREATE INDEX document_of_agency ON kho.document (agency_uuid, created_at DESC, document_uuid DESC);
-- Query: documents of a dossier in an agency, newest first.
CREATE INDEX document_of_dossier ON kho.document (agency_uuid, dossier_key, created_at DESC, document_uuid DESC);
-- Query: copies of an original.
CREATE INDEX document_copies ON kho.document (copy_of) WHERE copy_of IS NOT NULL;

CREATE TABLE kho.document_version (
    document_uuid   uuid        NOT NULL REFERENCES kho.document,
    version         int         NOT NULL CHECK (version >= 1),
    commit_id       uuid        NOT NULL CONSTRAINT commit_id_taken UNIQUE, -- names the sealed manifest
    reason          text        NOT NULL CHECK (reason IN ('first', 'rendition_added', 'corrected')),
    reason_text     text,
    officer_id      text        NOT NULL,
    station         text        NOT NULL,
    scanned_at      timestamptz NOT NULL,
    sealed_at       timestamptz NOT NULL,
    sheets          int         NOT NULL CHECK (sheets >= 0),
    pages           int         NOT NULL CHECK (pages BETWEEN 0 AND 10000),
    manifest_sha256 text        NOT NULL CHECK (manifest_sha256 ~ '^[0-9a-f]{64}$'),
    manifest_bytes  bigint      NOT NULL CHECK (manifest_bytes > 0),
    CONSTRAINT document_version_taken PRIMARY KEY (document_uuid, version),
    CONSTRAINT correction_has_reason CHECK ((reason = 'corrected') = (reason_text IS NOT NULL))
);

-- Which bytes a version needs; later each document wraps its own key to a blob here.
CREATE TABLE kho.blob_reference (
    document_uuid uuid   NOT NULL,
    version       int    NOT NULL,
    part_kind     text   NOT NULL CHECK (part_kind IN ('page', 'rendition')),
    number        int    NOT NULL CHECK (number BETWEEN 1 AND 10000),
    sha256        text   NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    size_bytes    bigint NOT NULL CHECK (size_bytes > 0),
    media_type    text   NOT NULL,
    variant       text   CHECK (variant IN ('with_note', 'without_note')),
    role          text   CHECK (role IN ('signed', 'assembled')),
    PRIMARY KEY (document_uuid, version, part_kind, number),
    FOREIGN KEY (document_uuid, version) REFERENCES kho.document_version,
    CHECK ((part_kind = 'rendition') = (role IS NOT NULL)),
    CHECK (part_kind = 'page' OR variant IS NULL)
);
-- Query: is this blob referenced by anyone?
CREATE INDEX blob_reference_by_digest ON kho.blob_reference (sha256);

-- A code taken: reserved at Begin, or in use. Codes are unique within the repository.
CREATE TABLE kho.result_code (
    code_key    text        NOT NULL CONSTRAINT result_code_taken PRIMARY KEY,
    code        text        NOT NULL,
    public_code text        NOT NULL CONSTRAINT public_code_taken UNIQUE, -- normal form, without dashes
    agency_uuid uuid        NOT NULL REFERENCES kho.agency,
    document_id uuid        NOT NULL,
    prefix_key  text        NOT NULL, -- the code without its sequence
    sequence    bigint, -- null for a code that the issuer gave
    reserved_at timestamptz NOT NULL,
    CONSTRAINT result_code_of_document UNIQUE (agency_uuid, document_id)
);
-- Query: the last sequence number given under a prefix.
CREATE INDEX result_code_last_sequence ON kho.result_code (prefix_key, sequence DESC) WHERE sequence IS NOT NULL;

CREATE TABLE kho.result (
    document_uuid uuid PRIMARY KEY REFERENCES kho.document,
    code_key      text NOT NULL CONSTRAINT result_code_used UNIQUE REFERENCES kho.result_code,
    type_code     text NOT NULL,
    issuer_uuid   uuid NOT NULL REFERENCES kho.agency,
    issuer_code   text NOT NULL,
    outcome       text NOT NULL CHECK (outcome IN ('granted', 'refused')),
    number        text,
    number_key    text,
    issued_on     date,
    valid_from    date,
    valid_to      date,
    territory     text,
    subject       text,
    CONSTRAINT result_dates_in_order CHECK (valid_to >= valid_from)
);

CREATE TABLE kho.result_owner (
    document_uuid uuid NOT NULL REFERENCES kho.result,
    ordinal       int  NOT NULL CHECK (ordinal BETWEEN 1 AND 16),
    owner_id      text NOT NULL,
    owner_key     text NOT NULL,
    PRIMARY KEY (document_uuid, ordinal)
);
-- Query: results of an owner.
CREATE INDEX result_owner_by_owner ON kho.result_owner (owner_key);

-- Judgements are a series; the newest one of the newest version stands in document.state.
CREATE TABLE kho.verdict (
    verdict_id     uuid        PRIMARY KEY,
    document_uuid  uuid        NOT NULL,
    version        int         NOT NULL,
    sha256         text        NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    indication     text        NOT NULL
        CHECK (indication IN ('TOTAL_PASSED', 'TOTAL_FAILED', 'INDETERMINATE', 'NO_SIGNATURE')),
    sub_indication text,
    judged_at      timestamptz NOT NULL,
    engine_version text        NOT NULL,
    policy_version text        NOT NULL,
    report         jsonb       NOT NULL,
    FOREIGN KEY (document_uuid, version) REFERENCES kho.document_version
);
-- Query: verdicts of a document, newest first.
CREATE INDEX verdict_of_document ON kho.verdict (document_uuid, judged_at DESC, verdict_id DESC);

------------------------------------------------------------------------------------------- operational

-- Uploads under way. Begin writes one row, Commit removes it; parts are known to the spool alone.
CREATE TABLE kho.upload (
    agency_uuid     uuid        NOT NULL,
    document_id     uuid        NOT NULL,
    version         int         NOT NULL CHECK (version >= 1),
    reason          text        NOT NULL CHECK (reason IN ('first', 'rendition_added', 'corrected')),
    reason_text     text,
    declaration     jsonb       NOT NULL,
    pages           int         NOT NULL CHECK (pages BETWEEN 0 AND 10000),
    renditions      int         NOT NULL CHECK (renditions BETWEEN 0 AND 16),
    first_rendition int         NOT NULL CHECK (first_rendition >= 1),
    sheets          int         NOT NULL CHECK (sheets >= 0),
    officer_id      text        NOT NULL,
    begun_at        timestamptz NOT NULL,
    lease_until     timestamptz NOT NULL,
    CONSTRAINT upload_taken PRIMARY KEY (agency_uuid, document_id)
);
-- Query: which leases have ended?
CREATE INDEX upload_by_lease ON kho.upload (lease_until);

-- What the verifier still has to judge; written in the transaction that seals the version.
CREATE TABLE kho.verification_task (
    document_uuid uuid        NOT NULL,
    version       int         NOT NULL,
    due_at        timestamptz NOT NULL,
    attempts      int         NOT NULL DEFAULT 0,
    started_at    timestamptz,
    PRIMARY KEY (document_uuid, version),
    FOREIGN KEY (document_uuid, version) REFERENCES kho.document_version
);
-- Query: what is due?
CREATE INDEX verification_task_due ON kho.verification_task (due_at);

-- Answers of changing calls, kept for 30 days (AIP-155). `scope` is the agency, or the principal without one.
CREATE TABLE kho.request_answer (
    scope       uuid        NOT NULL,
    request_id  uuid        NOT NULL,
    method      text        NOT NULL,
    fingerprint bytea       NOT NULL CHECK (octet_length(fingerprint) = 32),
    answer      bytea       NOT NULL,
    answered_at timestamptz NOT NULL,
    CONSTRAINT request_answered PRIMARY KEY (scope, request_id)
);
-- Query: which answers are older than 30 days?
CREATE INDEX request_answer_by_age ON kho.request_answer (answered_at);

------------------------------------------------------------------------------------------------ access

-- Who was shown what, and who was refused; durable before the answer. Monthly partitions.
CREATE TABLE kho.access_record (
    access_id      uuid        NOT NULL,
    at             timestamptz NOT NULL,
    principal_id   uuid        NOT NULL,
    agency_uuid    uuid,
    officer_id     text,
    action         text        NOT NULL CHECK (action IN ('LOOKUP', 'READ', 'REUSE', 'LIST')),
    outcome        text        NOT NULL CHECK (outcome IN ('DISCLOSED', 'REFUSED', 'ABSENT')),
    document_uuid  uuid, -- null when nothing was found; known to us also when it was refused
    version        int,
    asked          bytea, -- keyed hash of what was asked
    dossier_code   text,
    procedure_code text,
    request_id     text        NOT NULL,
    PRIMARY KEY (access_id, at)
) PARTITION BY RANGE (at);
-- Query: who had this document, newest first?
CREATE INDEX access_record_of_document ON kho.access_record (document_uuid, at DESC, access_id DESC);

-- What really left, written when a transfer has ended.
CREATE TABLE kho.access_closing (
    access_id  uuid        NOT NULL,
    at         timestamptz NOT NULL, -- of the record, so that both lie in one month
    closed_at  timestamptz NOT NULL,
    bytes_sent bigint      NOT NULL CHECK (bytes_sent >= 0),
    PRIMARY KEY (access_id, at)
) PARTITION BY RANGE (at);

-- Nothing is ever lost for want of a partition; operators see a gauge when this one holds rows.
CREATE TABLE kho.access_record_default PARTITION OF kho.access_record DEFAULT;
CREATE TABLE kho.access_closing_default PARTITION OF kho.access_closing DEFAULT;

-- Makes the partitions of the month that contains `day` (UTC months) if they are not there. Rows of that month that
-- already lie in the default partition move into the new one; without that PostgreSQL refuses to attach it.
CREATE FUNCTION kho.make_access_partition(day date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    first_day date := date_trunc('month', day);
    begins text := first_day::text || ' 00:00+00';
    ends text := (first_day + interval '1 month')::date::text || ' 00:00+00';
    parent text;
    month text;
BEGIN
    -- Two servers that start together make them once.
    PERFORM pg_advisory_xact_lock(x'6B686F02'::int);
    FOREACH parent IN ARRAY ARRAY['access_record', 'access_closing'] LOOP
        month := parent || '_' || to_char(first_day, 'YYYYMM');
        IF to_regclass(format('kho.%I', month)) IS NULL THEN
            EXECUTE format('CREATE TABLE kho.%I (LIKE kho.%I INCLUDING CONSTRAINTS)', month, parent);
            -- The new table was made in the likeness of the old one, so whole rows fit.
            EXECUTE format(
                'WITH moved AS (DELETE FROM kho.%I WHERE at >= %L AND at < %L RETURNING *)'
                ' INSERT INTO kho.%I SELECT * FROM moved',
                parent || '_default', begins, ends, month);
            EXECUTE format(
                'ALTER TABLE kho.%I ATTACH PARTITION kho.%I FOR VALUES FROM (%L) TO (%L)', parent, month, begins, ends);
        END IF;
    END LOOP;
END $$;
