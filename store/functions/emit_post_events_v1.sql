-- Writes the event of a post that was scheduled, cancelled or completed, in the transaction that changes its row. The
-- triggers' conditions are short, and this decides the rest. It writes the event by one statement, as emit_target_events_v1
-- does.
CREATE FUNCTION emit_post_events_v1() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
DECLARE
  _post posts%ROWTYPE;
  _status text;
BEGIN
  IF TG_OP = 'DELETE' THEN
    _post := old;
    _status := 'deleted';
  ELSIF TG_OP = 'UPDATE' AND (
    old.status = new.status OR (new.status = 'draft' AND old.status NOT IN ('scheduled', 'publishing'))
  ) THEN
    RETURN NULL;
  ELSE
    _post := new;
    _status := new.status;
  END IF;
  PERFORM FROM listeners WHERE workspace_id = _post.workspace_id;
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  INSERT INTO events (workspace_id, type, post_id, data)
  VALUES (
    _post.workspace_id,
    CASE
      WHEN _status = 'scheduled' THEN 'post.scheduled'
      WHEN _status IN ('draft', 'deleted') THEN 'post.cancelled'
      ELSE 'post.completed'
    END,
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
      'platforms', coalesce(
        CASE WHEN _status IN ('published', 'partial', 'failed') THEN (
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
          FROM targets WHERE post_id = _post.id
        ) END,
        '[]'::json
      )
    )
  );
  RETURN NULL;
END
$$
