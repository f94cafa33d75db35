-- Adds a new event to what the enabled endpoints of its workspace get, and notifies the workers once it is committed.
CREATE FUNCTION make_deliveries_v1() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
DECLARE
  _webhook_id text;
BEGIN
  FOR _webhook_id IN
    INSERT INTO deliveries (webhook_id, event_id)
    SELECT id, new.id FROM webhooks
    WHERE workspace_id = new.workspace_id AND enabled AND wants_event_v1(events, new.type)
    RETURNING webhook_id
  LOOP
    PERFORM pg_notify('webhook_due', _webhook_id);
  END LOOP;
  RETURN NULL;
END
$$
