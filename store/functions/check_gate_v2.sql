-- Refuses a send through a closed gate by begin_send_v1, which knows no gates, and by begin_send_v2, which knows no gates of
-- campaigns and series. Processes of the release before call them. The step fails, sends nothing, and is tried again.
-- begin_send_v3 has passed the gate, and says so for its transaction.
CREATE FUNCTION check_gate_v2()
RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
  _target record;
BEGIN
  SELECT targets.workspace_id, platform, account_id, campaign_id, series_id INTO _target
  FROM targets JOIN posts ON posts.id = targets.post_id
  WHERE targets.id = new.target_id;
  IF NOT pass_gate_v2(
    _target.workspace_id, _target.platform, _target.account_id, _target.campaign_id, _target.series_id
  ) THEN
    RAISE EXCEPTION 'the posts of this account, workspace, campaign or series are paused'
      USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  RETURN new;
END
$$
