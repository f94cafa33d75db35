-- Writes the event of a post that was scheduled, cancelled or completed, in the transaction that changes its row. The
-- trigger's condition says which changes these are.
CREATE FUNCTION emit_post_events_v1() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
DECLARE
  _post posts%ROWTYPE;
  _type text;
  _status text;
  _platforms json;
BEGIN
  _post := CASE WHEN TG_OP = 'DELETE' THEN old ELSE new END;
  IF NOT EXISTS (SELECT FROM listeners WHERE workspace_id = _post.workspace_id) THEN
    RETURN NULL;
  END IF;
  _status := CASE WHEN TG_OP = 'DELETE' THEN 'deleted' ELSE _post.status END;
  _type := CASE
    WHEN _status = 'scheduled' THEN 'post.scheduled'
    WHEN _status IN ('draft', 'deleted') THEN 'post.cancelled'
    ELSE 'post.completed'
  END;
  IF _type = 'post.completed' THEN
    SELECT json_agg(
      json_build_object(
        'platform', platform,
        'accountId', account_id,
        'status', status,
        'platformPostId', platform_post_id,
        'platformPostUrl', platform_post_url,
        'errorCode', error_code
      )
      ORDER BY position
    )
    INTO _platforms
    FROM targets WHERE post_id = _post.id;
  END IF;
  PERFORM emit_v1(
    _post.workspace_id,
    _type,
    _post.id,
    json_build_object(
      'postId', _post.id,
      'status', _status,
      'scheduledFor', event_time_v1(_post.scheduled_for),
      'publishedAt', event_time_v1(_post.published_at),
      'campaignId', _post.campaign_id,
      'externalId', _post.external_id,
      'tags', _post.tags,
      'skipReason', _post.skip_reason,
      'platforms', coalesce(_platforms, '[]'::json)
    )
  );
  RETURN NULL;
END
$$
