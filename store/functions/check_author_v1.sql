-- Refuses a post whose author is no API key of its workspace, and corrects a time of creation that is not now, because the
-- first line of the post's history is read from both.
CREATE FUNCTION check_author_v1() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
BEGIN
  IF new.created_by IS NOT NULL
     AND NOT EXISTS (SELECT FROM api_keys WHERE id = new.created_by AND workspace_id = new.workspace_id) THEN
    RAISE insufficient_privilege USING MESSAGE = 'permission denied: the author is no API key of the workspace';
  END IF;
  IF abs(extract(epoch FROM new.created_at - clock_timestamp())) > 60 THEN
    new.created_at := clock_timestamp();
  END IF;
  RETURN new;
END
$$
