-- Writes the event of a campaign that was paused, resumed or ended, in the transaction that changes its row.
CREATE FUNCTION emit_campaign_event_v1() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
BEGIN
  IF EXISTS (SELECT FROM listeners WHERE workspace_id = new.workspace_id) THEN
    PERFORM emit_v1(
      new.workspace_id,
      'campaign.' || CASE new.status WHEN 'active' THEN 'resumed' ELSE new.status END,
      NULL,
      json_build_object('campaignId', new.id, 'name', new.name, 'status', new.status)
    );
  END IF;
  RETURN NULL;
END
$$
