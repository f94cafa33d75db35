-- Writes the event of a target whose row has changed, in the transaction that changes it. There is a trigger for each kind of
-- change, which is its argument: 'status', 'edit' or 'risk'. The events are read by clients: domain.events and the API's
-- document describe them.
--
-- The conditions of the triggers are short, and this decides the rest: PostgreSQL reads a trigger's condition again for each
-- statement, which costs more than a call of the function.
--
-- It differs from emit_target_events_v2 in that one statement asks who listens, reads the post and writes the event: each
-- statement of a function costs as much as what it does here.
CREATE FUNCTION emit_target_events_v3() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
DECLARE
  _type text;
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
  INSERT INTO events (workspace_id, type, post_id, data)
  SELECT
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
      'campaignId', posts.campaign_id,
      'externalId', posts.external_id,
      'tags', posts.tags,
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
  FROM listeners JOIN posts ON posts.id = new.post_id
  WHERE listeners.workspace_id = new.workspace_id
    -- The pause of a campaign has an event of its own, instead of one for each of its posts.
    AND NOT (
      _type = 'post.held' AND new.hold_reason = 'paused'
      AND EXISTS (SELECT FROM campaigns WHERE campaigns.id = posts.campaign_id AND campaigns.status = 'paused')
    );
  RETURN NULL;
END
$$
