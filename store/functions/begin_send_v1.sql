-- Takes a target for its one send, and writes an open attempt. The caller commits before it sends anything. Returns `write`,
-- 'made' or the reason why nothing was written (domain.transitions.WriteResult), and the id of the attempt.
--
-- `_version` and `_due_by` are as in settle_target_v1. `_handles` replace the row's handles, which must be of
-- `_handles_version`; null: the row keeps its own. `_prepared` is the attempt of the step that has prepared the target in
-- the same run, to be written with this one; null: there is none.
CREATE FUNCTION begin_send_v1(
  _target_id text,
  _now timestamptz,
  _version int,
  _due_by timestamptz,
  _handles_version int,
  _handles jsonb,
  _prepared jsonb
)
RETURNS TABLE (write text, attempt_id bigint)
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
  _post record;
  _target record;
  _write text;
  _locked boolean;
BEGIN
  SELECT posts.id, posts.workspace_id, posts.status, posts.version, posts.due_at, posts.campaign_id,
    posts.series_id INTO _post
  FROM posts JOIN targets ON targets.post_id = posts.id
  WHERE targets.id = _target_id
  FOR UPDATE OF posts;
  -- Until the transaction ends, no gate of the workspace closes: close_gate_v1 takes the same lock alone. The order is the
  -- post first, then the gate. As an assignment, the call costs less than PERFORM.
  _locked := pg_advisory_xact_lock_shared(7001, hashtext(_post.workspace_id)) IS NULL;
  -- A statement of its own: it sees what was committed while this one waited for the locks. Handles are saved without the
  -- post's lock, so the target is locked, too; a transaction that locks a target alone asks for no gate.
  SELECT status, coalesce((handles ->> 'version')::int, 0) AS handles_version,
    EXISTS (
      SELECT FROM attempts WHERE target_id = targets.id AND step = 'publish' AND state = 'sending'
    ) AS is_sending,
    EXISTS (
      SELECT FROM gates
      WHERE workspace_id = _post.workspace_id AND (closed @> clock_timestamp() OR planned @> clock_timestamp())
        AND (kind, id) IN (
          ('workspace', ''), ('account', targets.platform || '/' || targets.account_id),
          ('campaign', _post.campaign_id), ('series', _post.series_id)
        )
    ) AS is_paused
  INTO _target
  FROM targets WHERE id = _target_id
  FOR UPDATE;
  _write := CASE
    WHEN NOT FOUND THEN 'gone'
    ELSE nullif(decide_send_v1(_post.status, _post.due_at, _post.version, _version, _due_by), 'go')
  END;
  IF _write IS NULL THEN
    _write := CASE
      WHEN _target.status NOT IN ('pending', 'publishing', 'held') THEN 'wrong_status'
      WHEN _target.is_sending THEN 'sending'
      WHEN _target.handles_version <> _handles_version THEN 'overtaken'
      WHEN _target.is_paused THEN 'paused'
    END;
  END IF;
  IF _write IS NOT NULL THEN
    RETURN QUERY SELECT _write, NULL::bigint;
    RETURN;
  END IF;

  UPDATE targets
  SET status = 'publishing', begun_at = coalesce(begun_at, _now), handles = coalesce(_handles, handles),
      confirming = false, warning = NULL, error = NULL, error_code = NULL, error_category = NULL, retryable = NULL,
      next_attempt_at = NULL, hold_reason = NULL, released_at = NULL
  WHERE id = _target_id;
  IF _post.status <> 'publishing' THEN
    UPDATE posts
    SET status = 'publishing', updated_at = _now, delivered_version = version, next_delivery_at = NULL,
        delivery_attempts = 0
    WHERE id = _post.id;
  END IF;
  IF _prepared IS NOT NULL THEN
    INSERT INTO attempts (target_id, step, state, started_at, finished_at, http_status, code, request_id, decision)
    SELECT _target_id, step, state, started_at, finished_at, http_status, code, request_id, decision
    FROM jsonb_populate_record(NULL::attempts, _prepared);
  END IF;
  RETURN QUERY
  INSERT INTO attempts (target_id, step, state, started_at, sendable_until)
  VALUES (_target_id, 'publish', 'sending', _now, clock_timestamp() + interval '5 seconds')
  RETURNING 'made', id;
END
$$
