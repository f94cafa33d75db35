-- Refuses a line of an audit trail whose actor is an API key, if the key or the post is another workspace's, or if clients
-- cannot do what it says. No process can set the line's time, and the API no other type of actor: they have no right to
-- these columns (store/roles.py). Acts with the owner's rights, because the worker may not read keys.
CREATE FUNCTION check_actor_v1() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM api_keys WHERE id = new.actor_id AND workspace_id = new.workspace_id) THEN
    RAISE insufficient_privilege USING MESSAGE = 'permission denied: the actor is no API key of the workspace';
  END IF;
  IF TG_TABLE_NAME = 'audit_events' THEN
    IF new.action NOT IN ('changed', 'corrected', 'edited', 'deleted', 'retried', 'resolved') THEN
      RAISE insufficient_privilege USING MESSAGE = 'permission denied: no client can do this to a post';
    END IF;
    IF NOT EXISTS (SELECT FROM posts WHERE id = new.post_id AND workspace_id = new.workspace_id) THEN
      RAISE insufficient_privilege USING MESSAGE = 'permission denied: the post is not of the workspace';
    END IF;
  END IF;
  RETURN new;
END
$$
