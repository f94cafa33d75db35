-- Revokes an API key for the holder of another one of its workspace, whose plain text is `_caller`, as in issue_key_v1.
-- Returns whether that key is valid and has the scope `keys`, and the workspace has the other one. The time of the first
-- revocation stays. So the API's role can revoke no key by itself, and cannot make a revoked key valid again.
CREATE FUNCTION revoke_key_v1(_caller text, _id text)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
BEGIN
  UPDATE api_keys SET revoked_at = coalesce(api_keys.revoked_at, now())
  FROM api_keys AS by
  WHERE api_keys.id = _id AND api_keys.workspace_id = by.workspace_id
    AND by.sha256 = sha256(convert_to(_caller, 'UTF8')) AND by.revoked_at IS NULL
    AND (by.expires_at IS NULL OR by.expires_at > now()) AND 'keys' = ANY (by.scopes);
  RETURN FOUND;
END
$$
