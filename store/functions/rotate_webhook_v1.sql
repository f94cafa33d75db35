-- Gives an endpoint a new secret, and keeps the older one for a while. Returns whether the workspace has the endpoint. It
-- acts with the owner's rights: the API may not read a secret, not even a sealed one.
CREATE FUNCTION rotate_webhook_v1(
  _workspace_id text, _webhook_id text, _secret bytea, _secret_key text, _overlap interval
)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
BEGIN
  UPDATE webhooks
  SET older_secret = secret, older_secret_key = secret_key, older_until = clock_timestamp() + _overlap,
      secret = _secret, secret_key = _secret_key
  WHERE id = _webhook_id AND workspace_id = _workspace_id;
  RETURN FOUND;
END
$$
