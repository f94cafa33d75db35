-- Takes a free or expired Idempotency-Key and returns its generation, null if another request holds the key. Waits for a
-- transaction that is taking the same key.
CREATE FUNCTION take_key_v1(
  _workspace_id text,
  _key text,
  _sha256 bytea,
  _post_id text,
  _now timestamptz,
  _expires_at timestamptz,
  _response_status int,
  _response_body bytea,
  _revision_id text,
  _post_ids text[]
)
RETURNS int
LANGUAGE sql
AS $$
  INSERT INTO idempotency_keys AS used
    (workspace_id, key, generation, request_sha256, post_id, revision_id, post_ids, expires_at, check_at,
     response_status, response_body)
  VALUES
    (_workspace_id, _key, 1, _sha256, _post_id, _revision_id, _post_ids, _expires_at, _expires_at,
     _response_status, _response_body)
  ON CONFLICT (workspace_id, key) DO UPDATE
  SET generation = used.generation + 1, request_sha256 = excluded.request_sha256, post_id = excluded.post_id,
      revision_id = excluded.revision_id, post_ids = excluded.post_ids, expires_at = excluded.expires_at,
      check_at = excluded.check_at, response_status = excluded.response_status, response_body = excluded.response_body
  WHERE used.expires_at <= _now
  RETURNING generation
$$
