-- Refuses a send through a closed gate by begin_send_v1, which processes of 0.1.0 call and which knows no gates. The step
-- fails, sends nothing, and is tried again. begin_send_v2 has passed the gate, and says so for its transaction.
CREATE FUNCTION check_gate_v1()
RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
  _target record;
BEGIN
  SELECT workspace_id, platform, account_id INTO _target FROM targets WHERE id = new.target_id;
  IF NOT pass_gate_v1(_target.workspace_id, _target.platform, _target.account_id) THEN
    RAISE EXCEPTION 'the posts of this account or workspace are paused' USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  RETURN new;
END
$$
