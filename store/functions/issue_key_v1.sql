-- Creates an API key for the holder of another one, whose plain text is `_caller`: its digest, which the API may read, is
-- not enough. Returns null, and creates nothing, unless that key is valid, has the scope `keys`, every scope of the new
-- key, ends no earlier, and may make as many requests a minute. So the API's role cannot create a key without the key of
-- somebody who may.
--
-- `_rate`: requests a minute; 0 for any number, null for the number of the API's setting, which is not known here: the API
-- compares it with other rates. `_replaces` is the id of a key of the same workspace that the new one replaces, or null: it
-- ends after `_overlap`.
CREATE FUNCTION issue_key_v1(
  _caller text,
  _id text,
  _sha256 bytea,
  _prefix text,
  _name text,
  _scopes text[],
  _expires_at timestamptz,
  _rate integer,
  _replaces text,
  _overlap interval
)
RETURNS text
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
DECLARE
  _by record;
BEGIN
  SELECT workspace_id, scopes, expires_at, rate_per_minute INTO _by
  FROM api_keys
  WHERE sha256 = sha256(convert_to(_caller, 'UTF8')) AND revoked_at IS NULL
    AND (expires_at IS NULL OR expires_at > now()) AND 'keys' = ANY (scopes);
  IF NOT FOUND OR NOT _scopes <@ _by.scopes OR coalesce(_expires_at, 'infinity') > coalesce(_by.expires_at, 'infinity')
  THEN
    RETURN NULL;
  END IF;
  -- Of a key without a limit every rate is one that it has; of one without an own rate all but "any number".
  IF _by.rate_per_minute IS DISTINCT FROM 0 AND (
    _rate IS NOT DISTINCT FROM 0
    OR _by.rate_per_minute IS NOT NULL AND (_rate IS NULL OR _rate > _by.rate_per_minute)
  ) THEN
    RETURN NULL;
  END IF;
  IF _replaces IS NOT NULL THEN
    UPDATE api_keys
    SET expires_at = least(coalesce(expires_at, 'infinity'), now() + _overlap), replaced_by = _id
    WHERE id = _replaces AND workspace_id = _by.workspace_id AND revoked_at IS NULL AND replaced_by IS NULL
      AND (expires_at IS NULL OR expires_at > now());
    IF NOT FOUND THEN
      RETURN NULL;
    END IF;
  END IF;
  INSERT INTO api_keys (sha256, id, prefix, workspace_id, name, scopes, expires_at, rate_per_minute)
  VALUES (_sha256, _id, _prefix, _by.workspace_id, _name, _scopes, _expires_at, _rate);
  RETURN _id;
END
$$
