-- Writes the event of an account that its platform refuses, or accepts again.
CREATE FUNCTION emit_account_change_v1() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
BEGIN
  IF EXISTS (SELECT FROM listeners WHERE workspace_id = new.workspace_id) THEN
    PERFORM emit_v1(
      new.workspace_id,
      CASE WHEN new.refused_at IS NULL THEN 'account.accepted' ELSE 'account.refused' END,
      NULL,
      json_build_object(
        'platform', new.platform,
        'accountId', new.id,
        'refusal', new.refusal,
        'refusalCode', new.refusal_code
      )
    );
  END IF;
  RETURN NULL;
END
$$
