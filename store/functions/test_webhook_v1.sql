-- Adds a test event for one endpoint, enabled or not, and returns the id of its delivery; null if the workspace has no such
-- endpoint. It acts with the owner's rights: no process may write an event.
CREATE FUNCTION test_webhook_v1(_workspace_id text, _webhook_id text)
RETURNS text
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
DECLARE
  _event_id text;
  _delivery_id text;
BEGIN
  IF NOT EXISTS (SELECT FROM webhooks WHERE id = _webhook_id AND workspace_id = _workspace_id) THEN
    RETURN NULL;
  END IF;
  INSERT INTO events (workspace_id, type, data)
  VALUES (_workspace_id, 'webhook.test', json_build_object('webhookId', _webhook_id))
  RETURNING id INTO _event_id;
  INSERT INTO deliveries (webhook_id, event_id, cause) VALUES (_webhook_id, _event_id, 'test')
  RETURNING id INTO _delivery_id;
  RETURN _delivery_id;
END
$$
