-- Writes the result of a step: target, attempt and post. Returns `write`, 'made' or the reason why nothing was written
-- (domain.transitions.WriteResult), and the target's state now. Returns no row if the target is gone.
--
-- `_basis` names the class of domain.transitions.Basis, and so the condition for the write:
--   answer_to        the send `_attempt_id` is still open; a result that the target is public is written in any case
--   before_send      no send is open; the post has `_version` (null: any) and is due by `_due_by` (null: due or not)
--   confirmation_of  the send `_attempt_id` is the target's last
-- `_columns` are written if the target has one of the statuses `_expects`. `_attempt` closes the send of `answer_to`, and
-- otherwise is a new row. `_audit` is an entry for the audit trail; it is not written if the target's last one is the same.
--
-- The answer to a send is not written, and `write` is 'claimed', if it names a
-- post that another target of the account has got within a day: a platform or a proxy has sent an old answer once more.
-- Ids that are a day old may come again, as in a group of Telegram that has become another. `settled`: no target of the
-- post `post_id` moves any more, and a request may wait for it, because the target was not due at the post's own time: it
-- was published at once, or retried.
CREATE FUNCTION settle_target_v1(
  _target_id text,
  _now timestamptz,
  _basis text,
  _attempt_id bigint,
  _version int,
  _due_by timestamptz,
  _expects text[],
  _columns jsonb,
  _attempt jsonb,
  _audit jsonb
)
RETURNS TABLE (
  write text, status text, confirming boolean, platform_post_id text, platform_post_url text, editable_until timestamptz,
  error_code text, error_category text, hold_reason text, next_attempt_at timestamptz, settled boolean, post_id text
)
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
  _post record;
  _status text;
  _write text;
  _moving boolean := true;
BEGIN
  SELECT posts.id, posts.status, posts.version, posts.due_at, posts.scheduled_for INTO _post
  FROM posts JOIN targets ON targets.post_id = posts.id
  WHERE targets.id = _target_id
  FOR UPDATE OF posts;
  -- A statement of its own: it sees what was committed while this one waited for the lock.
  SELECT status INTO _status FROM targets WHERE id = _target_id;
  IF NOT FOUND THEN
    RETURN;
  END IF;

  CASE _basis
    WHEN 'answer_to' THEN
      IF _columns ->> 'status' IS DISTINCT FROM 'published'
         AND NOT EXISTS (SELECT FROM attempts WHERE id = _attempt_id AND state = 'sending') THEN
        _write := 'overtaken';
      END IF;
    WHEN 'before_send' THEN
      _write := nullif(decide_send_v1(_post.status, _post.due_at, _post.version, _version, _due_by), 'go');
      IF _write IS NULL
         AND EXISTS (SELECT FROM attempts WHERE target_id = _target_id AND step = 'publish' AND state = 'sending') THEN
        _write := 'sending';
      END IF;
    WHEN 'confirmation_of' THEN
      IF _attempt_id IS DISTINCT FROM (
        SELECT max(id) FROM attempts WHERE target_id = _target_id AND step = 'publish'
      ) THEN
        _write := 'overtaken';
      END IF;
  END CASE;
  IF _write IS NULL AND _status <> ALL (_expects) THEN
    _write := 'wrong_status';
  END IF;
  IF _write IS NULL AND _basis = 'answer_to' AND _columns ->> 'platform_post_id' IS NOT NULL THEN
    -- Two answers of one moment must not both find the post free.
    PERFORM pg_advisory_xact_lock(hashtextextended('socialsyncer.claimed.' || (_columns ->> 'platform_post_id'), 0));
    IF EXISTS (
      SELECT FROM targets AS other JOIN targets AS own
        ON (other.workspace_id, other.platform, other.account_id) = (own.workspace_id, own.platform, own.account_id)
      WHERE own.id = _target_id AND other.id <> own.id
        AND other.platform_post_id = _columns ->> 'platform_post_id'
        AND (other.published_at > _now - interval '1 day' OR other.published_at IS NULL)
    ) THEN
      _write := 'claimed';
    END IF;
  END IF;

  IF _write IS NULL THEN
    UPDATE targets
    SET (status, confirming, due_at, begun_at, platform_post_id, platform_post_url, published_at, editable_until, warning,
         error, error_code, error_category, retryable, next_attempt_at, hold_reason, released_at) = (
      SELECT new.status, new.confirming, new.due_at,
             -- A target with another status has begun, however early its step ended.
             CASE WHEN new.status = 'pending' THEN new.begun_at ELSE coalesce(new.begun_at, _now) END,
             new.platform_post_id, new.platform_post_url, new.published_at, new.editable_until, new.warning,
             new.error, new.error_code, new.error_category, new.retryable, new.next_attempt_at, new.hold_reason,
             new.released_at
      FROM jsonb_populate_record(targets, _columns) AS new
    )
    WHERE id = _target_id;
  END IF;

  IF _basis = 'answer_to' AND coalesce(_write, 'wrong_status') = 'wrong_status' THEN
    UPDATE attempts
    -- An attempt whose rows were lost keeps the time by which it had ended.
    SET state = entry.state, finished_at = coalesce(attempts.finished_at, _now), http_status = entry.http_status,
        code = entry.code, request_id = entry.request_id, decision = entry.decision,
        next_attempt_at = entry.next_attempt_at, request_sent = coalesce(entry.request_sent, false), claim = entry.claim
    FROM jsonb_populate_record(NULL::attempts, _attempt) AS entry
    WHERE attempts.id = _attempt_id;
  ELSIF _attempt IS NOT NULL AND (_basis = 'confirmation_of' OR (_basis = 'before_send' AND _write IS NULL)) THEN
    INSERT INTO attempts
      (target_id, step, state, started_at, finished_at, http_status, code, request_id, decision, next_attempt_at)
    SELECT _target_id, step, state, started_at, _now, http_status, code, request_id, decision, next_attempt_at
    FROM jsonb_populate_record(NULL::attempts, _attempt);
  END IF;

  IF _write IS NULL AND _audit IS NOT NULL THEN
    INSERT INTO audit_events (workspace_id, post_id, action, actor_type, actor_id, platform, account_id, details)
    SELECT target.workspace_id, target.post_id, entry.action, entry.actor_type, entry.actor_id,
           target.platform, target.account_id, entry.details
    FROM targets AS target
    CROSS JOIN jsonb_populate_record(NULL::audit_events, _audit) AS entry
    LEFT JOIN LATERAL (
      SELECT action, actor_type, actor_id, details FROM audit_events
      WHERE (post_id, platform, account_id) = (target.post_id, target.platform, target.account_id)
      ORDER BY at DESC, id DESC
      LIMIT 1
    ) AS last ON true
    WHERE target.id = _target_id
      AND (last.action, last.actor_type, last.actor_id, last.details)
          IS DISTINCT FROM (entry.action, entry.actor_type, entry.actor_id, entry.details);
  END IF;

  IF _write IS NULL THEN
    SELECT moving INTO _moving FROM refresh_post_v1(_post.id, _now);
  END IF;
  RETURN QUERY
  SELECT coalesce(_write, 'made'), status, confirming, platform_post_id, platform_post_url, editable_until,
         error_code, error_category, hold_reason, next_attempt_at,
         NOT _moving AND due_at IS DISTINCT FROM _post.scheduled_for, _post.id::text
  FROM targets WHERE id = _target_id;
END
$$
