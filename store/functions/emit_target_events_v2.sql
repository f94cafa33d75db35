-- Writes the event of a target whose row has changed, in the transaction that changes it. There is a trigger for each kind of
-- change, which is its argument: 'status', 'edit' or 'risk'. The events are read by clients: domain.events and the API's
-- document describe them.
--
-- The conditions of the triggers are short, and this decides the rest: PostgreSQL reads a trigger's condition again for each
-- statement, which costs more than a call of the function.
CREATE FUNCTION emit_target_events_v2() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
DECLARE
  _type text;
  _post record;
BEGIN
  _type := CASE
    WHEN TG_ARGV[0] = 'edit' THEN 'post.edited'
    WHEN TG_ARGV[0] = 'risk' THEN 'post.at_risk'
    WHEN old.status <> new.status AND new.status IN ('published', 'failed', 'unconfirmed', 'held') THEN 'post.' || new.status
    WHEN new.status = 'unconfirmed' AND old.confirming AND NOT new.confirming THEN 'post.unconfirmed'
  END;
  IF _type IS NULL THEN
    RETURN NULL;
  END IF;
  -- One statement, and before anything is built: most workspaces listen to nothing.
  SELECT campaign_id, external_id, tags INTO _post
  FROM listeners JOIN posts ON posts.id = new.post_id
  WHERE listeners.workspace_id = new.workspace_id;
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  -- The pause of a campaign has an event of its own, instead of one for each of its posts.
  IF _type = 'post.held' AND new.hold_reason = 'paused'
     AND EXISTS (SELECT FROM campaigns WHERE id = _post.campaign_id AND status = 'paused') THEN
    RETURN NULL;
  END IF;
  PERFORM emit_v2(
    new.workspace_id,
    _type,
    new.post_id,
    json_build_object(
      'postId', new.post_id,
      'platform', new.platform,
      'platformPostId', new.platform_post_id,
      'platformPostUrl', new.platform_post_url,
      'status', new.status,
      'accountId', new.account_id,
      'publishedAt', event_time_v1(new.published_at),
      'campaignId', _post.campaign_id,
      'externalId', _post.external_id,
      'tags', _post.tags,
      'error', new.error,
      'errorCode', new.error_code,
      'errorCategory', new.error_category,
      'retryable', new.retryable,
      'holdReason', new.hold_reason,
      'nextAttemptAt', event_time_v1(new.next_attempt_at),
      'looking', new.status = 'unconfirmed' AND new.confirming,
      'previousPlatformPostId', CASE WHEN TG_ARGV[0] = 'edit' THEN old.platform_post_id END,
      'risk', new.preflight_code
    )
  );
  RETURN NULL;
END
$$
