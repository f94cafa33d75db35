-- Writes the events of a target whose row has changed, in the transaction that changes it. The events are read by clients:
-- domain.events and the API's document describe them.
CREATE FUNCTION emit_target_events_v1() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
DECLARE
  _post record;
  _is_edited boolean;
  _data json;
BEGIN
  -- First, before anything is built: most workspaces listen to nothing.
  IF NOT EXISTS (SELECT FROM listeners WHERE workspace_id = new.workspace_id) THEN
    RETURN NULL;
  END IF;
  SELECT campaign_id, external_id, tags INTO _post FROM posts WHERE id = new.post_id;
  _is_edited := jsonb_array_length(new.edit_history) > jsonb_array_length(old.edit_history);
  _data := json_build_object(
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
    'previousPlatformPostId', CASE WHEN _is_edited THEN old.platform_post_id END,
    'risk', new.preflight_code
  );
  IF old.status IS DISTINCT FROM new.status AND new.status IN ('published', 'failed', 'unconfirmed', 'held') THEN
    -- The pause of a campaign has an event of its own, instead of one for each of its posts.
    IF new.hold_reason IS DISTINCT FROM 'paused'
       OR NOT EXISTS (SELECT FROM campaigns WHERE id = _post.campaign_id AND status = 'paused') THEN
      PERFORM emit_v1(new.workspace_id, 'post.' || new.status, new.post_id, _data);
    END IF;
  ELSIF new.status = 'unconfirmed' AND old.confirming AND NOT new.confirming THEN
    PERFORM emit_v1(new.workspace_id, 'post.unconfirmed', new.post_id, _data);
  END IF;
  IF _is_edited THEN
    PERFORM emit_v1(new.workspace_id, 'post.edited', new.post_id, _data);
  END IF;
  IF old.preflight_code IS NULL AND new.preflight_code IS NOT NULL THEN
    PERFORM emit_v1(new.workspace_id, 'post.at_risk', new.post_id, _data);
  END IF;
  RETURN NULL;
END
$$
