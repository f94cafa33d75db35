-- Writes the event of an ended campaign of which nothing is on its way any more, in the transaction that finds it out.
CREATE FUNCTION emit_completed_campaign_v1() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
BEGIN
  IF EXISTS (SELECT FROM listeners WHERE workspace_id = new.workspace_id) THEN
    PERFORM emit_v1(
      new.workspace_id,
      'campaign.completed',
      NULL,
      json_build_object('campaignId', new.id, 'name', new.name, 'status', new.status)
    );
  END IF;
  RETURN NULL;
END
$$
