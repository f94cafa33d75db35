-- Writes the event of a post that was found late, with the row that records it.
CREATE FUNCTION emit_late_post_v1() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
DECLARE
  _post record;
BEGIN
  SELECT workspace_id, status, campaign_id, external_id, tags INTO _post FROM posts WHERE id = new.post_id;
  IF EXISTS (SELECT FROM listeners WHERE workspace_id = _post.workspace_id) THEN
    PERFORM emit_v1(
      _post.workspace_id,
      'post.late',
      new.post_id,
      json_build_object(
        'postId', new.post_id,
        'status', _post.status,
        'dueAt', event_time_v1(new.due_at),
        'campaignId', _post.campaign_id,
        'externalId', _post.external_id,
        'tags', _post.tags
      )
    );
  END IF;
  RETURN NULL;
END
$$
