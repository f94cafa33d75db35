-- Adds a new event to what the enabled endpoints of its workspace get. It sends no notification (see emit_v2): the worker
-- that wakes endpoints looks for new deliveries (store.webhooks.notifications). A test is added by test_webhook_v1.
CREATE FUNCTION make_deliveries_v2() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
BEGIN
  INSERT INTO deliveries (webhook_id, event_id)
  SELECT id, new.id FROM webhooks
  WHERE workspace_id = new.workspace_id AND enabled AND wants_event_v1(events, new.type) AND new.type <> 'webhook.test';
  RETURN NULL;
END
$$
