-- Writes an event. Only triggers and functions of the owner call it: no process can write an event that did not happen.
--
-- It sends no notification: PostgreSQL lets the transactions of the whole server that notify commit one after the
-- other, and most events come with the result of a post. Readers look for new events (store.announcer).
CREATE FUNCTION emit_v1(_workspace_id text, _type text, _post_id text, _data json)
RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
  INSERT INTO events (workspace_id, type, post_id, data) VALUES (_workspace_id, _type, _post_id, _data);
END
$$
