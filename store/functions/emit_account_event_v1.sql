-- Writes the event of an account that was connected, reconnected or removed, with the line of its audit trail.
CREATE FUNCTION emit_account_event_v1() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
BEGIN
  IF EXISTS (SELECT FROM listeners WHERE workspace_id = new.workspace_id) THEN
    PERFORM emit_v1(
      new.workspace_id,
      'account.' || CASE new.action WHEN 'removed' THEN 'disconnected' ELSE new.action END,
      NULL,
      json_build_object('platform', new.platform, 'accountId', new.account_id)
    );
  END IF;
  RETURN NULL;
END
$$
