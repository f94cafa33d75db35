-- Writes the event of an endpoint that this service has switched off, for the workspace's other endpoints.
CREATE FUNCTION emit_disabled_webhook_v1() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
BEGIN
  PERFORM emit_v1(
    new.workspace_id,
    'webhook.disabled',
    NULL,
    json_build_object(
      'webhookId', new.id,
      'name', new.name,
      'reason', new.disabled_reason,
      'failingSince', event_time_v1(new.failing_since),
      'lastEventId', new.last_failed_event
    )
  );
  RETURN NULL;
END
$$
