-- Writes an event, and wakes the readers of the workspace's feed once it is committed. Only triggers and functions of the
-- owner call it: no process can write an event that did not happen.
CREATE FUNCTION emit_v1(_workspace_id text, _type text, _post_id text, _data json)
RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
  INSERT INTO events (workspace_id, type, post_id, data) VALUES (_workspace_id, _type, _post_id, _data);
  PERFORM pg_notify('events', _workspace_id);
END
$$
