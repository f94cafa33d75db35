-- Writes the event of a target whose row has changed, in the transaction that changes it. There is a trigger for each kind of
-- change, which is its argument: 'status', 'edit' or 'risk'. The events are read by clients: domain.webhooks and the API's
-- document describe them.
--
-- It asks by the shortest statement who listens, and writes the event itself: each statement costs more than what it does. No condition of a statement depends on a variable alone: PostgreSQL would plan
-- the statement for each event.
CREATE FUNCTION emit_target_events_v1() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
DECLARE
  _type text;
BEGIN
  IF TG_ARGV[0] = 'status' THEN
    IF old.status <> new.status AND new.status IN ('published', 'failed', 'unconfirmed', 'held') THEN
      _type := 'post.' || new.status;
    ELSIF new.status = 'unconfirmed' AND old.confirming AND NOT new.confirming THEN
      _type := 'post.unconfirmed';
    ELSE
      RETURN NULL;
    END IF;
  ELSE
    _type := CASE TG_ARGV[0] WHEN 'edit' THEN 'post.edited' ELSE 'post.at_risk' END;
  END IF;
  -- Before anything is built: most workspaces listen to nothing.
  PERFORM FROM listeners WHERE workspace_id = new.workspace_id;
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  -- The pause of a campaign has an event of its own, instead of one for each of its posts.
  IF _type = 'post.held' AND new.hold_reason = 'paused' THEN
    PERFORM FROM posts JOIN campaigns ON campaigns.id = posts.campaign_id
    WHERE posts.id = new.post_id AND campaigns.status = 'paused';
    IF FOUND THEN
      RETURN NULL;
    END IF;
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
  FROM posts WHERE posts.id = new.post_id;
  RETURN NULL;
END
$$
