-- Deletes up to `_most` posts of a workspace that have been settled for longer than it keeps posts: for its own number of
-- days, else for `_days`; 0 means for ever. Returns how many were deleted.
--
-- It acts with the owner's rights, because a worker may delete no post. So it has conditions of its own: no post goes
-- within 30 days, nor before a person has said whether it is public.
CREATE FUNCTION delete_past_posts_v1(_workspace_id text, _days int, _most int)
RETURNS int
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
DECLARE
  _kept int;
  _ids text[];
BEGIN
  SELECT coalesce(posts_kept_days, _days) INTO _kept FROM workspaces WHERE id = _workspace_id;
  IF coalesce(_kept, 0) <= 0 THEN
    RETURN 0;
  END IF;
  SELECT array_agg(id) INTO _ids FROM (
    SELECT posts.id FROM posts
    WHERE posts.workspace_id = _workspace_id AND posts.status IN ('published', 'partial', 'failed')
      AND posts.updated_at < now() - make_interval(days => greatest(_kept, 30))
      AND NOT EXISTS (SELECT FROM targets WHERE targets.post_id = posts.id AND targets.status = 'unconfirmed')
    LIMIT _most
    FOR UPDATE SKIP LOCKED
  ) AS past;
  INSERT INTO audit_events (at, workspace_id, post_id, action, actor_type, details)
  SELECT now(), posts.workspace_id, posts.id, 'deleted', 'worker', json_build_object(
    'workflowId', posts.workflow_id,
    'status', posts.status,
    'scheduledFor', event_time_v1(posts.scheduled_for),
    'targets', (
      SELECT json_agg(json_build_object('platform', platform, 'accountId', account_id) ORDER BY position)
      FROM targets WHERE targets.post_id = posts.id
    ),
    'keptDays', greatest(_kept, 30)
  )
  FROM posts WHERE posts.id = ANY(_ids);
  DELETE FROM posts WHERE id = ANY(_ids);
  RETURN coalesce(cardinality(_ids), 0);
END
$$
