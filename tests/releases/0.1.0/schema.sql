--
-- PostgreSQL database dump
--


-- Dumped from database version 18.4
-- Dumped by pg_dump version 18.4

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: acquire_slots_v1(text, text, text, text, bigint, jsonb, boolean, interval, interval); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.acquire_slots_v1(_platform text, _server text, _account_id text, _target_id text, _last_attempt_id bigint, _buckets jsonb, _asks boolean, _kept interval, _missed_after interval) RETURNS TABLE(wait interval, per interval)
    LANGUAGE plpgsql
    AS $$
#variable_conflict use_column
DECLARE
  _bucket record;
  _reported record;
  _slot bigint;
  _now timestamptz;
  _since timestamptz;
  _full record;
  _free bigint[] := '{}';
  _longest interval := interval '0';
  _window interval;
BEGIN
  FOR _bucket IN
    SELECT value ->> 'step' AS step, value -> 'limits' AS limits
    FROM jsonb_array_elements(_buckets) WITH ORDINALITY ORDER BY ordinality
  LOOP
    INSERT INTO rate_limit_buckets (platform, server, account_id, step)
    VALUES (_platform, _server, _account_id, _bucket.step)
    -- Changes nothing, but locks the row until the transaction ends: slots are handed out one at a time.
    ON CONFLICT (platform, server, account_id, step) DO UPDATE SET step = excluded.step
    RETURNING reported_at, reported_remaining, reported_until, reported_limit INTO _reported;
    INSERT INTO rate_limit_slots (platform, server, account_id, step, target_id, last_attempt_id, at, taken)
    VALUES (_platform, _server, _account_id, _bucket.step, _target_id, _last_attempt_id, now(), false)
    ON CONFLICT (target_id, step, last_attempt_id) DO UPDATE SET target_id = excluded.target_id
    RETURNING id INTO _slot;
    _now := clock_timestamp();
    IF _asks AND _bucket.step = 'publish' AND coalesce(_reported.reported_until <= _now, true) THEN
      RETURN;
    END IF;
    _since := _now - greatest(
      _kept, (SELECT make_interval(secs => max((value ->> 'per')::float8)) FROM jsonb_array_elements(_bucket.limits))
    );
    -- Statements of their own: they see the slots that were taken while this one waited for the lock.
    DELETE FROM rate_limit_slots
    WHERE platform = _platform AND server = _server AND account_id = _account_id AND step = _bucket.step
      AND at < _since AND id <> _slot;
    WITH earlier AS MATERIALIZED (
      SELECT slots.at FROM rate_limit_slots AS slots
      WHERE slots.platform = _platform AND slots.server = _server AND slots.account_id = _account_id
        AND slots.step = _bucket.step AND slots.at >= _since AND slots.id <> _slot
        AND (slots.taken OR (slots.id < _slot AND slots.at >= _now - _missed_after AND EXISTS (
          SELECT FROM targets
          WHERE targets.id = slots.target_id AND targets.status IN ('pending', 'publishing', 'held'))))
    ), waits AS (
      -- The slot which as many others follow as a window may hold: that long after it there is room again. Slots given
      -- in this way are in order, and the limit holds in every window, also between slots that are given already.
      SELECT full_since.at + rate_limit.per AS until, rate_limit.per
      FROM (
        SELECT CASE WHEN (value ->> 'longest')::boolean THEN coalesce(_reported.reported_limit, (value ->> 'most')::int)
                    ELSE (value ->> 'most')::int END AS most,
               make_interval(secs => (value ->> 'per')::float8) AS per
        FROM jsonb_array_elements(_bucket.limits)
      ) AS rate_limit
      CROSS JOIN LATERAL (SELECT at FROM earlier ORDER BY at DESC OFFSET rate_limit.most - 1 LIMIT 1) AS full_since
      UNION ALL
      SELECT _reported.reported_until, NULL
      WHERE _reported.reported_until > _now
        AND (SELECT count(*) FROM earlier WHERE at > _reported.reported_at) >= _reported.reported_remaining
    )
    SELECT until, waits.per INTO _full FROM waits WHERE until > _now ORDER BY until DESC LIMIT 1;
    UPDATE rate_limit_slots SET at = coalesce(_full.until, _now), taken = _full.until IS NULL WHERE id = _slot;
    IF _full.until IS NULL THEN
      _free := _free || _slot;
    ELSIF _full.until - _now > _longest THEN
      _longest := _full.until - _now;
      _window := _full.per;
    END IF;
  END LOOP;
  IF _longest > interval '0' THEN
    -- Slots that are free, but cannot be used yet, are released for others.
    DELETE FROM rate_limit_slots WHERE id = ANY(_free);
  END IF;
  RETURN QUERY SELECT _longest, _window;
END
$$;


--
-- Name: begin_send_v1(text, timestamp with time zone, integer, timestamp with time zone, integer, jsonb, jsonb); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.begin_send_v1(_target_id text, _now timestamp with time zone, _version integer, _due_by timestamp with time zone, _handles_version integer, _handles jsonb, _prepared jsonb) RETURNS TABLE(write text, attempt_id bigint)
    LANGUAGE plpgsql
    AS $$
#variable_conflict use_column
DECLARE
  _post record;
  _target record;
  _write text;
BEGIN
  SELECT posts.id, posts.status, posts.version, posts.due_at INTO _post
  FROM posts JOIN targets ON targets.post_id = posts.id
  WHERE targets.id = _target_id
  FOR UPDATE OF posts;
  -- A statement of its own: it sees what was committed while this one waited for the lock. Handles are saved without
  -- the post's lock, so the target is locked, too.
  SELECT status, coalesce((handles ->> 'version')::int, 0) AS handles_version INTO _target
  FROM targets WHERE id = _target_id
  FOR UPDATE;
  _write := CASE
    WHEN NOT FOUND THEN 'gone'
    ELSE nullif(decide_send_v1(_post.status, _post.due_at, _post.version, _version, _due_by), 'go')
  END;
  IF _write IS NULL THEN
    _write := CASE
      WHEN _target.status NOT IN ('pending', 'publishing', 'held') THEN 'wrong_status'
      WHEN EXISTS (SELECT FROM attempts WHERE target_id = _target_id AND step = 'publish' AND state = 'sending')
        THEN 'sending'
      WHEN _target.handles_version <> _handles_version THEN 'overtaken'
    END;
  END IF;
  IF _write IS NOT NULL THEN
    RETURN QUERY SELECT _write, NULL::bigint;
    RETURN;
  END IF;

  UPDATE targets
  SET status = 'publishing', begun_at = coalesce(begun_at, _now), handles = coalesce(_handles, handles),
      confirming = false, warning = NULL, error = NULL, error_code = NULL, error_category = NULL, retryable = NULL,
      next_attempt_at = NULL, hold_reason = NULL, released_at = NULL
  WHERE id = _target_id;
  UPDATE posts SET status = 'publishing', updated_at = _now WHERE id = _post.id AND status <> 'publishing';
  IF _prepared IS NOT NULL THEN
    INSERT INTO attempts (target_id, step, state, started_at, finished_at, http_status, code, request_id, decision)
    SELECT _target_id, step, state, started_at, finished_at, http_status, code, request_id, decision
    FROM jsonb_populate_record(NULL::attempts, _prepared);
  END IF;
  RETURN QUERY
  INSERT INTO attempts (target_id, step, state, started_at)
  VALUES (_target_id, 'publish', 'sending', _now)
  RETURNING 'made', id;
END
$$;


--
-- Name: check_actor_v1(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.check_actor_v1() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM api_keys WHERE id = new.actor_id AND workspace_id = new.workspace_id) THEN
    RAISE insufficient_privilege USING MESSAGE = 'permission denied: the actor is no API key of the workspace';
  END IF;
  IF TG_TABLE_NAME = 'audit_events' THEN
    IF new.action NOT IN ('changed', 'corrected', 'edited', 'deleted', 'retried', 'resolved') THEN
      RAISE insufficient_privilege USING MESSAGE = 'permission denied: no client can do this to a post';
    END IF;
    IF NOT EXISTS (SELECT FROM posts WHERE id = new.post_id AND workspace_id = new.workspace_id) THEN
      RAISE insufficient_privilege USING MESSAGE = 'permission denied: the post is not of the workspace';
    END IF;
  END IF;
  RETURN new;
END
$$;


--
-- Name: check_attempt_v1(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.check_attempt_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
  RAISE insufficient_privilege USING MESSAGE = 'permission denied: only a worker takes steps towards platforms';
END
$$;


--
-- Name: check_author_v1(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.check_author_v1() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
  IF new.created_by IS NOT NULL
     AND NOT EXISTS (SELECT FROM api_keys WHERE id = new.created_by AND workspace_id = new.workspace_id) THEN
    RAISE insufficient_privilege USING MESSAGE = 'permission denied: the author is no API key of the workspace';
  END IF;
  IF abs(extract(epoch FROM new.created_at - clock_timestamp())) > 60 THEN
    new.created_at := clock_timestamp();
  END IF;
  RETURN new;
END
$$;


--
-- Name: create_post_v1(jsonb, jsonb, text, bytea, timestamp with time zone, timestamp with time zone, integer, bytea); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.create_post_v1(_post jsonb, _targets jsonb, _key text, _sha256 bytea, _now timestamp with time zone, _expires_at timestamp with time zone, _response_status integer, _response_body bytea) RETURNS integer
    LANGUAGE plpgsql
    AS $$
DECLARE
  _workspace_id text := _post ->> 'workspace_id';
  _generation int := 1;
BEGIN
  IF _key IS NOT NULL THEN
    _generation := take_key_v1(
      _workspace_id, _key, _sha256, _post ->> 'id', _now, _expires_at, _response_status, _response_body, NULL, NULL
    );
    IF _generation IS NULL THEN
      RETURN NULL;
    END IF;
    IF _generation > 1 THEN
      -- As domain.ids.workflow_id does: the generation follows the workspace.
      _post := _post || jsonb_build_object('workflow_id',
        _workspace_id || '~' || _generation || substr(_post ->> 'workflow_id', length(_workspace_id) + 1));
    END IF;
  END IF;
  INSERT INTO posts (
    id, workspace_id, workflow_id, status, content, media_items, tags, timezone, scheduled_for, scheduled_wall,
    external_id, external_digest, planned_for, tiktok_settings, facebook_settings, due_at, answer_bytes,
    publish_within, version, delivered_version, next_delivery_at, delivery_attempts, created_by, published_at, created_at, updated_at
  )
  SELECT
    id, workspace_id, workflow_id, status, content, media_items, tags, timezone, scheduled_for, scheduled_wall,
    external_id, external_digest, planned_for, tiktok_settings, facebook_settings, due_at, answer_bytes,
    publish_within, version, delivered_version, next_delivery_at, delivery_attempts, created_by, published_at, created_at, updated_at
  FROM jsonb_populate_record(NULL::posts, _post);
  INSERT INTO targets (
    id, post_id, workspace_id, position, platform, account_id, custom_content, custom_media, settings, status,
    due_at, begun_at, confirming, edited_content, handles, platform_post_id, platform_post_url, published_at,
    editable_until, warning, media_changes, edit_history, error, error_code, error_category, retryable,
    next_attempt_at, hold_reason, released_at, preflight_code
  )
  SELECT
    id, post_id, workspace_id, position, platform, account_id, custom_content, custom_media, settings, status,
    due_at, begun_at, confirming, edited_content, handles, platform_post_id, platform_post_url, published_at,
    editable_until, warning, media_changes, edit_history, error, error_code, error_category, retryable,
    next_attempt_at, hold_reason, released_at, preflight_code
  FROM jsonb_populate_recordset(NULL::targets, _targets);
  RETURN _generation;
END
$$;


--
-- Name: decide_send_v1(text, timestamp with time zone, integer, integer, timestamp with time zone); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.decide_send_v1(_status text, _due_at timestamp with time zone, _version integer, _known integer, _due_by timestamp with time zone) RETURNS text
    LANGUAGE sql IMMUTABLE
    AS $$
  SELECT CASE
    WHEN _status = 'draft' OR _due_at IS NULL THEN 'gone'
    WHEN _version <> _known THEN 'superseded'
    WHEN _status = 'scheduled' AND _due_at > _due_by THEN 'early'
    ELSE 'go'
  END
$$;


--
-- Name: keep_history_v1(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.keep_history_v1() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
  -- The trail of a workspace that is deleted goes with it.
  IF NOT EXISTS (SELECT FROM workspaces WHERE id = old.workspace_id) THEN
    RETURN old;
  END IF;
  INSERT INTO audit_events (at, workspace_id, post_id, action, actor_type, actor_id, platform, account_id, details)
  SELECT at, old.workspace_id, old.id, action, actor_type, actor_id, platform, account_id, jsonb_strip_nulls(details)
  FROM (
    SELECT * FROM (
      SELECT old.created_at AS at, 0 AS source, 0::bigint AS number, 'created' AS action,
             CASE WHEN old.created_by IS NULL THEN 'worker' ELSE 'api_key' END AS actor_type, old.created_by AS actor_id,
             NULL AS platform, NULL AS account_id, '{}'::jsonb AS details
      UNION ALL
      -- As the row has it: its reader decides which action it was.
      SELECT attempts.started_at, 1, attempts.id, 'attempt', 'worker', NULL, targets.platform, targets.account_id,
             to_jsonb(attempts) || jsonb_build_object(
               'platform_post_id', targets.platform_post_id, 'platform_post_url', targets.platform_post_url)
      FROM attempts JOIN targets ON targets.id = attempts.target_id
      WHERE targets.post_id = old.id AND attempts.step NOT IN ('resolve', 'correct')
      UNION ALL
      SELECT late_posts.found_at, 2, 0, 'late', 'worker', NULL, NULL, NULL,
             jsonb_build_object('dueAt', late_posts.due_at, 'endedAt', late_posts.ended_at)
      FROM late_posts
      WHERE late_posts.post_id = old.id
      UNION ALL
      SELECT begun_at, 3, position, 'late', 'worker', NULL, targets.platform, targets.account_id,
             jsonb_build_object('dueAt', due_at, 'endedAt', begun_at)
      FROM targets
      WHERE post_id = old.id AND begun_at - due_at >= interval '5 seconds' AND begun_at - due_at < interval '1 minute'
    ) AS lines
    ORDER BY at DESC, source DESC, number DESC
    LIMIT 500
  ) AS newest
  ORDER BY at, source, number;
  RETURN old;
END
$$;


--
-- Name: keep_post_tags(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.keep_post_tags() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
        BEGIN
          IF TG_OP <> 'INSERT' THEN
            DELETE FROM post_tags WHERE workspace_id = old.workspace_id AND tag = ANY (old.tags) AND post_id = old.id;
          END IF;
          IF TG_OP <> 'DELETE' THEN
            INSERT INTO post_tags SELECT DISTINCT new.workspace_id, tag, new.id FROM unnest(new.tags) AS tag;
          END IF;
          RETURN NULL;
        END $$;


--
-- Name: refresh_post_v1(text, timestamp with time zone); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.refresh_post_v1(_post_id text, _now timestamp with time zone) RETURNS TABLE(status text, published_at timestamp with time zone)
    LANGUAGE plpgsql
    AS $$
#variable_conflict use_column
DECLARE
  _sum record;
BEGIN
  SELECT bool_or(status <> 'pending' OR begun_at IS NOT NULL) AS has_begun,
         bool_and(status IN ('published', 'failed') OR (status = 'unconfirmed' AND NOT confirming)) AS settled,
         bool_and(status = 'published') AS published,
         bool_and(status = 'failed') AS failed,
         bool_or(status IN ('pending', 'publishing') OR (status = 'unconfirmed' AND confirming)) AS moving,
         min(published_at) AS published_at
  INTO _sum
  FROM targets WHERE post_id = _post_id;
  IF NOT _sum.moving THEN
    PERFORM pg_notify('post_settled', _post_id);
  END IF;
  RETURN QUERY
  UPDATE posts
  SET status = CASE
        WHEN posts.status = 'scheduled' AND NOT _sum.has_begun THEN 'scheduled'
        WHEN NOT _sum.settled THEN 'publishing'
        WHEN _sum.published THEN 'published'
        WHEN _sum.failed THEN 'failed'
        ELSE 'partial'
      END,
      published_at = _sum.published_at,
      updated_at = _now
  WHERE posts.id = _post_id
  RETURNING posts.status, posts.published_at;
END
$$;


--
-- Name: settle_target_v1(text, timestamp with time zone, text, bigint, integer, timestamp with time zone, text[], jsonb, jsonb, jsonb); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.settle_target_v1(_target_id text, _now timestamp with time zone, _basis text, _attempt_id bigint, _version integer, _due_by timestamp with time zone, _expects text[], _columns jsonb, _attempt jsonb, _audit jsonb) RETURNS TABLE(write text, status text, confirming boolean, platform_post_id text, platform_post_url text, editable_until timestamp with time zone, error_code text, error_category text, hold_reason text, next_attempt_at timestamp with time zone)
    LANGUAGE plpgsql
    AS $$
#variable_conflict use_column
DECLARE
  _post record;
  _status text;
  _write text;
BEGIN
  SELECT posts.id, posts.status, posts.version, posts.due_at INTO _post
  FROM posts JOIN targets ON targets.post_id = posts.id
  WHERE targets.id = _target_id
  FOR UPDATE OF posts;
  -- A statement of its own: it sees what was committed while this one waited for the lock.
  SELECT status INTO _status FROM targets WHERE id = _target_id;
  IF NOT FOUND THEN
    RETURN;
  END IF;

  CASE _basis
    WHEN 'answer_to' THEN
      IF _columns ->> 'status' IS DISTINCT FROM 'published'
         AND NOT EXISTS (SELECT FROM attempts WHERE id = _attempt_id AND state = 'sending') THEN
        _write := 'overtaken';
      END IF;
    WHEN 'before_send' THEN
      _write := nullif(decide_send_v1(_post.status, _post.due_at, _post.version, _version, _due_by), 'go');
      IF _write IS NULL
         AND EXISTS (SELECT FROM attempts WHERE target_id = _target_id AND step = 'publish' AND state = 'sending') THEN
        _write := 'sending';
      END IF;
    WHEN 'confirmation_of' THEN
      IF _attempt_id IS DISTINCT FROM (
        SELECT max(id) FROM attempts WHERE target_id = _target_id AND step = 'publish'
      ) THEN
        _write := 'overtaken';
      END IF;
  END CASE;
  IF _write IS NULL AND _status <> ALL (_expects) THEN
    _write := 'wrong_status';
  END IF;

  IF _write IS NULL THEN
    UPDATE targets
    SET (status, confirming, due_at, begun_at, platform_post_id, platform_post_url, published_at, editable_until, warning,
         error, error_code, error_category, retryable, next_attempt_at, hold_reason, released_at) = (
      SELECT new.status, new.confirming, new.due_at,
             -- A target with another status has begun, however early its step ended.
             CASE WHEN new.status = 'pending' THEN new.begun_at ELSE coalesce(new.begun_at, _now) END,
             new.platform_post_id, new.platform_post_url, new.published_at, new.editable_until, new.warning,
             new.error, new.error_code, new.error_category, new.retryable, new.next_attempt_at, new.hold_reason,
             new.released_at
      FROM jsonb_populate_record(targets, _columns) AS new
    )
    WHERE id = _target_id;
  END IF;

  IF _basis = 'answer_to' AND coalesce(_write, 'wrong_status') = 'wrong_status' THEN
    UPDATE attempts
    -- An attempt whose rows were lost keeps the time by which it had ended.
    SET state = entry.state, finished_at = coalesce(attempts.finished_at, _now), http_status = entry.http_status,
        code = entry.code, request_id = entry.request_id, decision = entry.decision,
        next_attempt_at = entry.next_attempt_at, request_sent = coalesce(entry.request_sent, false), claim = entry.claim
    FROM jsonb_populate_record(NULL::attempts, _attempt) AS entry
    WHERE attempts.id = _attempt_id;
  ELSIF _attempt IS NOT NULL AND (_basis = 'confirmation_of' OR (_basis = 'before_send' AND _write IS NULL)) THEN
    INSERT INTO attempts
      (target_id, step, state, started_at, finished_at, http_status, code, request_id, decision, next_attempt_at)
    SELECT _target_id, step, state, started_at, _now, http_status, code, request_id, decision, next_attempt_at
    FROM jsonb_populate_record(NULL::attempts, _attempt);
  END IF;

  IF _write IS NULL AND _audit IS NOT NULL THEN
    INSERT INTO audit_events (workspace_id, post_id, action, actor_type, actor_id, platform, account_id, details)
    SELECT target.workspace_id, target.post_id, entry.action, entry.actor_type, entry.actor_id,
           target.platform, target.account_id, entry.details
    FROM targets AS target
    CROSS JOIN jsonb_populate_record(NULL::audit_events, _audit) AS entry
    LEFT JOIN LATERAL (
      SELECT action, actor_type, actor_id, details FROM audit_events
      WHERE (post_id, platform, account_id) = (target.post_id, target.platform, target.account_id)
      ORDER BY at DESC, id DESC
      LIMIT 1
    ) AS last ON true
    WHERE target.id = _target_id
      AND (last.action, last.actor_type, last.actor_id, last.details)
          IS DISTINCT FROM (entry.action, entry.actor_type, entry.actor_id, entry.details);
  END IF;

  IF _write IS NULL THEN
    PERFORM refresh_post_v1(_post.id, _now);
  END IF;
  RETURN QUERY
  SELECT coalesce(_write, 'made'), status, confirming, platform_post_id, platform_post_url, editable_until,
         error_code, error_category, hold_reason, next_attempt_at
  FROM targets WHERE id = _target_id;
END
$$;


--
-- Name: take_key_v1(text, text, bytea, text, timestamp with time zone, timestamp with time zone, integer, bytea, text, text[]); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.take_key_v1(_workspace_id text, _key text, _sha256 bytea, _post_id text, _now timestamp with time zone, _expires_at timestamp with time zone, _response_status integer, _response_body bytea, _revision_id text, _post_ids text[]) RETURNS integer
    LANGUAGE sql
    AS $$
  INSERT INTO idempotency_keys AS used
    (workspace_id, key, generation, request_sha256, post_id, revision_id, post_ids, expires_at, check_at,
     response_status, response_body)
  VALUES
    (_workspace_id, _key, 1, _sha256, _post_id, _revision_id, _post_ids, _expires_at, _expires_at,
     _response_status, _response_body)
  ON CONFLICT (workspace_id, key) DO UPDATE
  SET generation = used.generation + 1, request_sha256 = excluded.request_sha256, post_id = excluded.post_id,
      revision_id = excluded.revision_id, post_ids = excluded.post_ids, expires_at = excluded.expires_at,
      check_at = excluded.check_at, response_status = excluded.response_status, response_body = excluded.response_body
  WHERE used.expires_at <= _now
  RETURNING generation
$$;


SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: account_events; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.account_events (
    id bigint NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    workspace_id character varying NOT NULL COLLATE pg_catalog."C",
    platform character varying NOT NULL COLLATE pg_catalog."C",
    account_id character varying NOT NULL COLLATE pg_catalog."C",
    action text NOT NULL,
    actor_type text NOT NULL,
    actor_id character varying COLLATE pg_catalog."C",
    details jsonb DEFAULT '{}'::jsonb NOT NULL
);


--
-- Name: account_events_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.account_events ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.account_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: accounts; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.accounts (
    workspace_id character varying NOT NULL COLLATE pg_catalog."C",
    id character varying NOT NULL COLLATE pg_catalog."C",
    platform text NOT NULL,
    user_id text NOT NULL,
    username text NOT NULL,
    app_id text DEFAULT ''::text NOT NULL,
    premium boolean DEFAULT false NOT NULL,
    limits jsonb DEFAULT '{}'::jsonb NOT NULL,
    allowed jsonb DEFAULT '{}'::jsonb NOT NULL,
    credentials bytea NOT NULL,
    connected_at timestamp with time zone DEFAULT now() NOT NULL,
    refused_at timestamp with time zone,
    refusal text,
    refusal_code text,
    refusal_count integer DEFAULT 0 NOT NULL,
    recheck_at timestamp with time zone,
    expires_at timestamp with time zone,
    refresh_expires_at timestamp with time zone,
    scopes text[],
    grant_subject text,
    renew_at timestamp with time zone,
    renewed_at timestamp with time zone,
    renewing_until timestamp with time zone,
    renewal_started_at timestamp with time zone,
    renewal_failures integer DEFAULT 0 NOT NULL,
    renewal_error text,
    access_refused_at timestamp with time zone,
    last_ok_at timestamp with time zone,
    inspected_at timestamp with time zone,
    inspection jsonb,
    removal_requested_at timestamp with time zone,
    removal_requested_by character varying COLLATE pg_catalog."C",
    removal_revokes boolean
);


--
-- Name: alembic_version; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);


--
-- Name: api_keys; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.api_keys (
    sha256 bytea NOT NULL,
    id character varying NOT NULL COLLATE pg_catalog."C",
    prefix text NOT NULL,
    workspace_id character varying NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    last_used_at timestamp with time zone,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone
);


--
-- Name: app_refusals; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.app_refusals (
    platform character varying NOT NULL COLLATE pg_catalog."C",
    app_id character varying NOT NULL COLLATE pg_catalog."C",
    code character varying NOT NULL COLLATE pg_catalog."C",
    message text NOT NULL,
    refused_at timestamp with time zone NOT NULL,
    last_refused_at timestamp with time zone NOT NULL,
    probe_at timestamp with time zone NOT NULL,
    probed_with character varying COLLATE pg_catalog."C"
);


--
-- Name: app_setups; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.app_setups (
    "only" boolean DEFAULT true NOT NULL,
    platforms text[] NOT NULL,
    platforms_by_workspace jsonb NOT NULL,
    documents jsonb NOT NULL,
    key_ids text[] DEFAULT '{}'::text[] NOT NULL,
    announced_at timestamp with time zone NOT NULL
);


--
-- Name: attempts; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.attempts (
    id bigint NOT NULL,
    target_id character varying NOT NULL COLLATE pg_catalog."C",
    step text NOT NULL,
    state text NOT NULL,
    started_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    http_status integer,
    code text,
    request_id text,
    decision text,
    next_attempt_at timestamp with time zone,
    request_sent boolean DEFAULT false NOT NULL,
    claim jsonb
);


--
-- Name: attempts_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.attempts ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.attempts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: audit_events; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.audit_events (
    id bigint NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    workspace_id character varying NOT NULL COLLATE pg_catalog."C",
    post_id character varying NOT NULL COLLATE pg_catalog."C",
    action text NOT NULL,
    actor_type text DEFAULT 'api_key'::text NOT NULL,
    actor_id character varying COLLATE pg_catalog."C",
    platform character varying COLLATE pg_catalog."C",
    account_id character varying COLLATE pg_catalog."C",
    details jsonb DEFAULT '{}'::jsonb NOT NULL
);


--
-- Name: audit_events_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.audit_events ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.audit_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: choice_lists; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.choice_lists (
    id character varying NOT NULL COLLATE pg_catalog."C",
    workspace_id character varying NOT NULL COLLATE pg_catalog."C",
    account_id character varying NOT NULL COLLATE pg_catalog."C",
    setting text NOT NULL,
    within text NOT NULL,
    result jsonb DEFAULT '{}'::jsonb NOT NULL,
    asked_at timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: idempotency_keys; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.idempotency_keys (
    workspace_id character varying NOT NULL COLLATE pg_catalog."C",
    key character varying NOT NULL COLLATE pg_catalog."C",
    generation integer NOT NULL,
    request_sha256 bytea NOT NULL,
    post_id character varying NOT NULL COLLATE pg_catalog."C",
    revision_id character varying COLLATE pg_catalog."C",
    post_ids text[],
    expires_at timestamp with time zone NOT NULL,
    response_status integer,
    response_body bytea,
    check_at timestamp with time zone DEFAULT (now() + '24:00:00'::interval) NOT NULL
);


--
-- Name: late_posts; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.late_posts (
    post_id character varying NOT NULL COLLATE pg_catalog."C",
    due_at timestamp with time zone NOT NULL,
    found_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone
);


--
-- Name: media_checks; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.media_checks (
    id character varying NOT NULL COLLATE pg_catalog."C",
    workspace_id character varying NOT NULL COLLATE pg_catalog."C",
    content jsonb NOT NULL,
    findings jsonb NOT NULL,
    expires_at timestamp with time zone NOT NULL
);


--
-- Name: media_files; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.media_files (
    token character varying NOT NULL COLLATE pg_catalog."C",
    workspace_id character varying NOT NULL COLLATE pg_catalog."C",
    content_type text NOT NULL,
    content bytea NOT NULL,
    expires_at timestamp with time zone NOT NULL
);
ALTER TABLE ONLY public.media_files ALTER COLUMN content SET STORAGE EXTERNAL;


--
-- Name: pending_connections; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.pending_connections (
    id character varying NOT NULL COLLATE pg_catalog."C",
    workspace_id character varying NOT NULL COLLATE pg_catalog."C",
    platform text NOT NULL,
    state_hash bytea,
    redirect_url text,
    selection_by text,
    return_url text,
    browser_hash bytea,
    account_id text,
    begun_by character varying COLLATE pg_catalog."C",
    options jsonb NOT NULL,
    posted_in text,
    public_key bytea,
    sealed bytea,
    authorize_url text,
    handover bytea,
    handover_hash bytea,
    consumed_at timestamp with time zone,
    exchanged_at timestamp with time zone,
    outcome jsonb,
    selected_ids text[],
    selection_result jsonb,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL
);


--
-- Name: pending_revocations; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.pending_revocations (
    id character varying NOT NULL COLLATE pg_catalog."C",
    workspace_id character varying NOT NULL COLLATE pg_catalog."C",
    platform text NOT NULL,
    account_id character varying COLLATE pg_catalog."C",
    cause text NOT NULL,
    credentials bytea NOT NULL,
    user_ids text[] NOT NULL,
    app_id text NOT NULL,
    grant_subject text,
    attempts integer DEFAULT 0 NOT NULL,
    next_at timestamp with time zone NOT NULL,
    given_up_after timestamp with time zone NOT NULL
);


--
-- Name: post_tags; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.post_tags (
    workspace_id character varying NOT NULL COLLATE pg_catalog."C",
    tag character varying NOT NULL COLLATE pg_catalog."C",
    post_id character varying NOT NULL COLLATE pg_catalog."C"
);


--
-- Name: posts; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.posts (
    id character varying NOT NULL COLLATE pg_catalog."C",
    workspace_id character varying NOT NULL COLLATE pg_catalog."C",
    workflow_id character varying NOT NULL COLLATE pg_catalog."C",
    status text NOT NULL,
    content text,
    media_items jsonb NOT NULL,
    tags text[] NOT NULL,
    timezone text NOT NULL,
    scheduled_for timestamp with time zone,
    scheduled_wall text,
    planned_for timestamp with time zone,
    external_id character varying COLLATE pg_catalog."C",
    external_digest text,
    tiktok_settings jsonb NOT NULL,
    facebook_settings jsonb NOT NULL,
    due_at timestamp with time zone,
    answer_bytes integer NOT NULL,
    publish_within integer DEFAULT 86400 NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    delivered_version integer DEFAULT 0 NOT NULL,
    next_delivery_at timestamp with time zone,
    delivery_attempts integer DEFAULT 0 NOT NULL,
    created_by character varying COLLATE pg_catalog."C",
    published_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);


--
-- Name: rate_limit_buckets; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.rate_limit_buckets (
    platform character varying NOT NULL COLLATE pg_catalog."C",
    server character varying NOT NULL COLLATE pg_catalog."C",
    account_id character varying NOT NULL COLLATE pg_catalog."C",
    step character varying NOT NULL COLLATE pg_catalog."C",
    reported_at timestamp with time zone,
    reported_remaining integer,
    reported_until timestamp with time zone,
    reported_limit integer,
    query_lease_until timestamp with time zone
);


--
-- Name: rate_limit_slots; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.rate_limit_slots (
    id bigint NOT NULL,
    platform character varying NOT NULL COLLATE pg_catalog."C",
    server character varying NOT NULL COLLATE pg_catalog."C",
    account_id character varying NOT NULL COLLATE pg_catalog."C",
    step character varying NOT NULL COLLATE pg_catalog."C",
    target_id character varying NOT NULL COLLATE pg_catalog."C",
    last_attempt_id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    taken boolean NOT NULL
);


--
-- Name: rate_limit_slots_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.rate_limit_slots ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.rate_limit_slots_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: restores; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.restores (
    id bigint NOT NULL,
    restored_to timestamp with time zone NOT NULL,
    database boolean NOT NULL,
    temporal boolean NOT NULL,
    begun_at timestamp with time zone NOT NULL,
    last_post_id character varying DEFAULT ''::character varying NOT NULL COLLATE pg_catalog."C",
    to_confirm integer DEFAULT 0 NOT NULL,
    finished_at timestamp with time zone
);


--
-- Name: restores_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.restores ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.restores_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: revisions; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.revisions (
    id character varying NOT NULL COLLATE pg_catalog."C",
    post_id character varying NOT NULL COLLATE pg_catalog."C",
    body jsonb NOT NULL,
    state text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    error text,
    error_code text,
    param text
);


--
-- Name: schema_states; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.schema_states (
    revision character varying NOT NULL COLLATE pg_catalog."C",
    kind text NOT NULL,
    unused_since character varying COLLATE pg_catalog."C",
    source text NOT NULL,
    shape jsonb NOT NULL,
    version text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: targets; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.targets (
    id character varying NOT NULL COLLATE pg_catalog."C",
    post_id character varying NOT NULL COLLATE pg_catalog."C",
    workspace_id character varying NOT NULL COLLATE pg_catalog."C",
    "position" integer NOT NULL,
    platform character varying NOT NULL COLLATE pg_catalog."C",
    account_id character varying NOT NULL COLLATE pg_catalog."C",
    custom_content text,
    custom_media jsonb,
    settings jsonb NOT NULL,
    status text NOT NULL,
    due_at timestamp with time zone,
    begun_at timestamp with time zone,
    confirming boolean DEFAULT false NOT NULL,
    edited_content text,
    handles jsonb DEFAULT '{}'::jsonb NOT NULL,
    platform_post_id text,
    platform_post_url text,
    published_at timestamp with time zone,
    editable_until timestamp with time zone,
    warning text,
    media_changes jsonb DEFAULT '[]'::jsonb NOT NULL,
    edit_history jsonb DEFAULT '[]'::jsonb NOT NULL,
    error text,
    error_code text,
    error_category text,
    retryable boolean,
    next_attempt_at timestamp with time zone,
    hold_reason text,
    preflight_at timestamp with time zone,
    preflight_code text,
    released_at timestamp with time zone
);


--
-- Name: workspaces; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.workspaces (
    id character varying NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: zone_checks; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.zone_checks (
    "only" boolean DEFAULT true NOT NULL,
    newest_version character varying NOT NULL COLLATE pg_catalog."C",
    digest text,
    checked_at timestamp with time zone
);


--
-- Name: account_events account_events_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.account_events
    ADD CONSTRAINT account_events_pkey PRIMARY KEY (id);


--
-- Name: accounts accounts_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_pkey PRIMARY KEY (workspace_id, id);


--
-- Name: alembic_version alembic_version_pkc; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);


--
-- Name: api_keys api_keys_id_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_id_key UNIQUE (id);


--
-- Name: api_keys api_keys_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (sha256);


--
-- Name: app_refusals app_refusals_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.app_refusals
    ADD CONSTRAINT app_refusals_pkey PRIMARY KEY (platform, app_id, code);


--
-- Name: app_setups app_setups_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.app_setups
    ADD CONSTRAINT app_setups_pkey PRIMARY KEY ("only");


--
-- Name: attempts attempts_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT attempts_pkey PRIMARY KEY (id);


--
-- Name: audit_events audit_events_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.audit_events
    ADD CONSTRAINT audit_events_pkey PRIMARY KEY (id);


--
-- Name: choice_lists choice_lists_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.choice_lists
    ADD CONSTRAINT choice_lists_pkey PRIMARY KEY (id);


--
-- Name: idempotency_keys idempotency_keys_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (workspace_id, key);


--
-- Name: late_posts late_posts_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.late_posts
    ADD CONSTRAINT late_posts_pkey PRIMARY KEY (post_id, due_at);


--
-- Name: media_checks media_checks_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.media_checks
    ADD CONSTRAINT media_checks_pkey PRIMARY KEY (id);


--
-- Name: media_files media_files_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.media_files
    ADD CONSTRAINT media_files_pkey PRIMARY KEY (token);


--
-- Name: pending_connections pending_connections_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.pending_connections
    ADD CONSTRAINT pending_connections_pkey PRIMARY KEY (id);


--
-- Name: pending_connections pending_connections_state_hash_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.pending_connections
    ADD CONSTRAINT pending_connections_state_hash_key UNIQUE (state_hash);


--
-- Name: pending_revocations pending_revocations_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.pending_revocations
    ADD CONSTRAINT pending_revocations_pkey PRIMARY KEY (id);


--
-- Name: post_tags post_tags_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.post_tags
    ADD CONSTRAINT post_tags_pkey PRIMARY KEY (workspace_id, tag, post_id);


--
-- Name: posts posts_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.posts
    ADD CONSTRAINT posts_pkey PRIMARY KEY (id);


--
-- Name: posts posts_workflow_id_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.posts
    ADD CONSTRAINT posts_workflow_id_key UNIQUE (workflow_id);


--
-- Name: rate_limit_buckets rate_limit_buckets_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.rate_limit_buckets
    ADD CONSTRAINT rate_limit_buckets_pkey PRIMARY KEY (platform, server, account_id, step);


--
-- Name: rate_limit_slots rate_limit_slots_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.rate_limit_slots
    ADD CONSTRAINT rate_limit_slots_pkey PRIMARY KEY (id);


--
-- Name: restores restores_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.restores
    ADD CONSTRAINT restores_pkey PRIMARY KEY (id);


--
-- Name: revisions revisions_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.revisions
    ADD CONSTRAINT revisions_pkey PRIMARY KEY (id);


--
-- Name: schema_states schema_states_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.schema_states
    ADD CONSTRAINT schema_states_pkey PRIMARY KEY (revision);


--
-- Name: targets targets_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.targets
    ADD CONSTRAINT targets_pkey PRIMARY KEY (id);


--
-- Name: workspaces workspaces_name_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.workspaces
    ADD CONSTRAINT workspaces_name_key UNIQUE (name);


--
-- Name: workspaces workspaces_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.workspaces
    ADD CONSTRAINT workspaces_pkey PRIMARY KEY (id);


--
-- Name: zone_checks zone_checks_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.zone_checks
    ADD CONSTRAINT zone_checks_pkey PRIMARY KEY ("only");


--
-- Name: account_events_of_account; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX account_events_of_account ON public.account_events USING btree (workspace_id, account_id, id);


--
-- Name: accounts_expiring; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX accounts_expiring ON public.accounts USING btree (refresh_expires_at, platform) WHERE (refused_at IS NULL);


--
-- Name: accounts_of_app; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX accounts_of_app ON public.accounts USING btree (app_id) WHERE (app_id <> ''::text);


--
-- Name: accounts_of_person; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX accounts_of_person ON public.accounts USING btree (platform, user_id);


--
-- Name: accounts_to_renew; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX accounts_to_renew ON public.accounts USING btree (renew_at) WHERE (renew_at IS NOT NULL);


--
-- Name: attempts_of_target; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX attempts_of_target ON public.attempts USING btree (target_id, id);


--
-- Name: audit_events_deletions; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX audit_events_deletions ON public.audit_events USING btree (workspace_id, id) WHERE (action = 'deleted'::text);


--
-- Name: audit_events_of_post; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX audit_events_of_post ON public.audit_events USING btree (post_id, at, id);


--
-- Name: choice_lists_of_workspace; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX choice_lists_of_workspace ON public.choice_lists USING btree (workspace_id, asked_at);


--
-- Name: ix_api_keys_workspace_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_api_keys_workspace_id ON public.api_keys USING btree (workspace_id);


--
-- Name: ix_choice_lists_asked_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_choice_lists_asked_at ON public.choice_lists USING btree (asked_at);


--
-- Name: ix_idempotency_keys_check_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_idempotency_keys_check_at ON public.idempotency_keys USING btree (check_at);


--
-- Name: ix_media_checks_expires_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_media_checks_expires_at ON public.media_checks USING btree (expires_at);


--
-- Name: ix_media_checks_workspace_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_media_checks_workspace_id ON public.media_checks USING btree (workspace_id);


--
-- Name: ix_media_files_expires_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_media_files_expires_at ON public.media_files USING btree (expires_at);


--
-- Name: ix_media_files_workspace_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_media_files_workspace_id ON public.media_files USING btree (workspace_id);


--
-- Name: ix_pending_connections_expires_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_pending_connections_expires_at ON public.pending_connections USING btree (expires_at);


--
-- Name: ix_pending_revocations_next_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_pending_revocations_next_at ON public.pending_revocations USING btree (next_at);


--
-- Name: ix_revisions_post_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_revisions_post_id ON public.revisions USING btree (post_id);


--
-- Name: late_posts_ended; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX late_posts_ended ON public.late_posts USING btree (ended_at) WHERE (ended_at IS NOT NULL);


--
-- Name: late_posts_open; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX late_posts_open ON public.late_posts USING btree (post_id) WHERE (ended_at IS NULL);


--
-- Name: pending_connections_by_workspace; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX pending_connections_by_workspace ON public.pending_connections USING btree (workspace_id, created_at);


--
-- Name: pending_revocations_of_account; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX pending_revocations_of_account ON public.pending_revocations USING btree (workspace_id, account_id);


--
-- Name: posts_by_external_id; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX posts_by_external_id ON public.posts USING btree (workspace_id, external_id) WHERE (external_id IS NOT NULL);


--
-- Name: posts_list; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX posts_list ON public.posts USING btree (workspace_id, id DESC) INCLUDE (answer_bytes, scheduled_for, updated_at);


--
-- Name: posts_list_by_change; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX posts_list_by_change ON public.posts USING btree (workspace_id, status, updated_at, id) INCLUDE (scheduled_for);


--
-- Name: posts_list_by_schedule; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX posts_list_by_schedule ON public.posts USING btree (workspace_id, status, scheduled_for, id) INCLUDE (updated_at) WHERE (scheduled_for IS NOT NULL);


--
-- Name: posts_list_by_status; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX posts_list_by_status ON public.posts USING btree (workspace_id, status, id DESC) INCLUDE (scheduled_for, updated_at);


--
-- Name: posts_open; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX posts_open ON public.posts USING btree (due_at, id) WHERE (status = ANY (ARRAY['scheduled'::text, 'publishing'::text]));


--
-- Name: posts_undelivered; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX posts_undelivered ON public.posts USING btree (((status = ANY (ARRAY['scheduled'::text, 'publishing'::text]))) DESC, due_at, id) WHERE ((delivered_version < version) AND ((status = ANY (ARRAY['scheduled'::text, 'publishing'::text])) OR (next_delivery_at IS NOT NULL)));


--
-- Name: posts_wall_times; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX posts_wall_times ON public.posts USING btree (scheduled_for, id) WHERE ((scheduled_wall IS NOT NULL) AND (status = ANY (ARRAY['draft'::text, 'scheduled'::text])));


--
-- Name: rate_limit_slots_of_account; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX rate_limit_slots_of_account ON public.rate_limit_slots USING btree (platform, server, account_id, step, at);


--
-- Name: rate_limit_slots_of_target; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX rate_limit_slots_of_target ON public.rate_limit_slots USING btree (target_id, step, last_attempt_id);


--
-- Name: targets_held; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX targets_held ON public.targets USING btree (workspace_id, account_id) WHERE (status = 'held'::text);


--
-- Name: targets_list_by_account; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX targets_list_by_account ON public.targets USING btree (workspace_id, account_id, post_id DESC);


--
-- Name: targets_list_by_platform; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX targets_list_by_platform ON public.targets USING btree (workspace_id, platform, post_id DESC);


--
-- Name: targets_list_by_status; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX targets_list_by_status ON public.targets USING btree (workspace_id, status, post_id) WHERE (status = ANY (ARRAY['held'::text, 'unconfirmed'::text]));


--
-- Name: targets_not_begun; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX targets_not_begun ON public.targets USING btree (due_at) WHERE ((status = 'pending'::text) AND (begun_at IS NULL));


--
-- Name: targets_of_post; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX targets_of_post ON public.targets USING btree (post_id, "position");


--
-- Name: targets_public; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX targets_public ON public.targets USING btree (platform_post_id) WHERE (platform_post_id IS NOT NULL);


--
-- Name: targets_to_preflight; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX targets_to_preflight ON public.targets USING btree (workspace_id, preflight_at, due_at) WHERE ((status = 'pending'::text) AND (begun_at IS NULL));


--
-- Name: targets_waiting; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX targets_waiting ON public.targets USING btree (platform) WHERE ((status = ANY (ARRAY['held'::text, 'unconfirmed'::text])) OR ((status = 'publishing'::text) AND (next_attempt_at IS NOT NULL)));


--
-- Name: account_events check_actor; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER check_actor BEFORE INSERT ON public.account_events FOR EACH ROW WHEN (((new.actor_type = 'api_key'::text) AND (NOT has_table_privilege('public.account_events'::text, 'UPDATE'::text)))) EXECUTE FUNCTION public.check_actor_v1();


--
-- Name: audit_events check_actor; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER check_actor BEFORE INSERT ON public.audit_events FOR EACH ROW WHEN (((new.actor_type = 'api_key'::text) AND (NOT has_table_privilege('public.audit_events'::text, 'UPDATE'::text)))) EXECUTE FUNCTION public.check_actor_v1();


--
-- Name: attempts check_attempt; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER check_attempt BEFORE INSERT ON public.attempts FOR EACH ROW WHEN (((new.step <> ALL (ARRAY['resolve'::text, 'correct'::text])) AND (NOT has_table_privilege('public.attempts'::text, 'UPDATE'::text)))) EXECUTE FUNCTION public.check_attempt_v1();


--
-- Name: posts check_author; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER check_author BEFORE INSERT ON public.posts FOR EACH ROW WHEN ((true AND (NOT has_table_privilege('public.posts'::text, 'UPDATE'::text)))) EXECUTE FUNCTION public.check_author_v1();


--
-- Name: posts keep_history; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER keep_history BEFORE DELETE ON public.posts FOR EACH ROW EXECUTE FUNCTION public.keep_history_v1();


--
-- Name: posts keep_tags_on_delete; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER keep_tags_on_delete AFTER DELETE ON public.posts FOR EACH ROW WHEN ((cardinality(old.tags) > 0)) EXECUTE FUNCTION public.keep_post_tags();


--
-- Name: posts keep_tags_on_insert; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER keep_tags_on_insert AFTER INSERT ON public.posts FOR EACH ROW WHEN ((cardinality(new.tags) > 0)) EXECUTE FUNCTION public.keep_post_tags();


--
-- Name: posts keep_tags_on_update; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER keep_tags_on_update AFTER UPDATE OF tags ON public.posts FOR EACH ROW WHEN ((old.tags <> new.tags)) EXECUTE FUNCTION public.keep_post_tags();


--
-- Name: account_events account_events_workspace_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.account_events
    ADD CONSTRAINT account_events_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES public.workspaces(id) ON DELETE CASCADE;


--
-- Name: accounts accounts_workspace_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES public.workspaces(id) ON DELETE CASCADE;


--
-- Name: api_keys api_keys_workspace_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES public.workspaces(id) ON DELETE CASCADE;


--
-- Name: attempts attempts_target_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT attempts_target_id_fkey FOREIGN KEY (target_id) REFERENCES public.targets(id) ON DELETE CASCADE;


--
-- Name: audit_events audit_events_workspace_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.audit_events
    ADD CONSTRAINT audit_events_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES public.workspaces(id) ON DELETE CASCADE;


--
-- Name: choice_lists choice_lists_workspace_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.choice_lists
    ADD CONSTRAINT choice_lists_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES public.workspaces(id) ON DELETE CASCADE;


--
-- Name: idempotency_keys idempotency_keys_workspace_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT idempotency_keys_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES public.workspaces(id) ON DELETE CASCADE;


--
-- Name: late_posts late_posts_post_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.late_posts
    ADD CONSTRAINT late_posts_post_id_fkey FOREIGN KEY (post_id) REFERENCES public.posts(id) ON DELETE CASCADE;


--
-- Name: media_checks media_checks_workspace_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.media_checks
    ADD CONSTRAINT media_checks_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES public.workspaces(id) ON DELETE CASCADE;


--
-- Name: media_files media_files_workspace_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.media_files
    ADD CONSTRAINT media_files_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES public.workspaces(id) ON DELETE CASCADE;


--
-- Name: pending_connections pending_connections_workspace_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.pending_connections
    ADD CONSTRAINT pending_connections_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES public.workspaces(id) ON DELETE CASCADE;


--
-- Name: pending_revocations pending_revocations_workspace_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.pending_revocations
    ADD CONSTRAINT pending_revocations_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES public.workspaces(id) ON DELETE CASCADE;


--
-- Name: posts posts_workspace_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.posts
    ADD CONSTRAINT posts_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES public.workspaces(id) ON DELETE CASCADE;


--
-- Name: revisions revisions_post_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.revisions
    ADD CONSTRAINT revisions_post_id_fkey FOREIGN KEY (post_id) REFERENCES public.posts(id) ON DELETE CASCADE;


--
-- Name: targets targets_post_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.targets
    ADD CONSTRAINT targets_post_id_fkey FOREIGN KEY (post_id) REFERENCES public.posts(id) ON DELETE CASCADE;


--
-- Name: SCHEMA public; Type: ACL; Schema: -; Owner: -
--

GRANT USAGE ON SCHEMA public TO socialsyncer_api;
GRANT USAGE ON SCHEMA public TO socialsyncer_worker;


--
-- Name: TABLE account_events; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.account_events TO socialsyncer_api;
GRANT SELECT,DELETE ON TABLE public.account_events TO socialsyncer_worker;


--
-- Name: COLUMN account_events.workspace_id; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(workspace_id) ON TABLE public.account_events TO socialsyncer_worker;


--
-- Name: COLUMN account_events.platform; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(platform) ON TABLE public.account_events TO socialsyncer_worker;


--
-- Name: COLUMN account_events.account_id; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(account_id) ON TABLE public.account_events TO socialsyncer_worker;


--
-- Name: COLUMN account_events.action; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(action) ON TABLE public.account_events TO socialsyncer_worker;


--
-- Name: COLUMN account_events.actor_type; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(actor_type) ON TABLE public.account_events TO socialsyncer_worker;


--
-- Name: COLUMN account_events.actor_id; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(actor_id) ON TABLE public.account_events TO socialsyncer_worker;


--
-- Name: COLUMN account_events.details; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(details) ON TABLE public.account_events TO socialsyncer_worker;


--
-- Name: TABLE accounts; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.accounts TO socialsyncer_worker;


--
-- Name: COLUMN accounts.workspace_id; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT(workspace_id) ON TABLE public.accounts TO socialsyncer_api;


--
-- Name: COLUMN accounts.id; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT(id) ON TABLE public.accounts TO socialsyncer_api;


--
-- Name: COLUMN accounts.platform; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT(platform) ON TABLE public.accounts TO socialsyncer_api;


--
-- Name: COLUMN accounts.user_id; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT(user_id) ON TABLE public.accounts TO socialsyncer_api;


--
-- Name: COLUMN accounts.username; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT(username) ON TABLE public.accounts TO socialsyncer_api;


--
-- Name: COLUMN accounts.app_id; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT(app_id) ON TABLE public.accounts TO socialsyncer_api;


--
-- Name: COLUMN accounts.premium; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT(premium) ON TABLE public.accounts TO socialsyncer_api;


--
-- Name: COLUMN accounts.limits; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT(limits) ON TABLE public.accounts TO socialsyncer_api;


--
-- Name: COLUMN accounts.allowed; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT(allowed) ON TABLE public.accounts TO socialsyncer_api;


--
-- Name: COLUMN accounts.connected_at; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT(connected_at) ON TABLE public.accounts TO socialsyncer_api;


--
-- Name: COLUMN accounts.refused_at; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT(refused_at) ON TABLE public.accounts TO socialsyncer_api;


--
-- Name: COLUMN accounts.refusal; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT(refusal) ON TABLE public.accounts TO socialsyncer_api;


--
-- Name: COLUMN accounts.refusal_code; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT(refusal_code) ON TABLE public.accounts TO socialsyncer_api;


--
-- Name: COLUMN accounts.refusal_count; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT(refusal_count) ON TABLE public.accounts TO socialsyncer_api;


--
-- Name: COLUMN accounts.recheck_at; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT(recheck_at) ON TABLE public.accounts TO socialsyncer_api;


--
-- Name: COLUMN accounts.expires_at; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT(expires_at) ON TABLE public.accounts TO socialsyncer_api;


--
-- Name: COLUMN accounts.refresh_expires_at; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT(refresh_expires_at) ON TABLE public.accounts TO socialsyncer_api;


--
-- Name: COLUMN accounts.scopes; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT(scopes) ON TABLE public.accounts TO socialsyncer_api;


--
-- Name: COLUMN accounts.grant_subject; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT(grant_subject) ON TABLE public.accounts TO socialsyncer_api;


--
-- Name: COLUMN accounts.renew_at; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT(renew_at) ON TABLE public.accounts TO socialsyncer_api;


--
-- Name: COLUMN accounts.renewed_at; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT(renewed_at) ON TABLE public.accounts TO socialsyncer_api;


--
-- Name: COLUMN accounts.renewing_until; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT(renewing_until) ON TABLE public.accounts TO socialsyncer_api;


--
-- Name: COLUMN accounts.renewal_started_at; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT(renewal_started_at) ON TABLE public.accounts TO socialsyncer_api;


--
-- Name: COLUMN accounts.renewal_failures; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT(renewal_failures) ON TABLE public.accounts TO socialsyncer_api;


--
-- Name: COLUMN accounts.renewal_error; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT(renewal_error) ON TABLE public.accounts TO socialsyncer_api;


--
-- Name: COLUMN accounts.access_refused_at; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT(access_refused_at) ON TABLE public.accounts TO socialsyncer_api;


--
-- Name: COLUMN accounts.last_ok_at; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT(last_ok_at) ON TABLE public.accounts TO socialsyncer_api;


--
-- Name: COLUMN accounts.inspected_at; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT(inspected_at) ON TABLE public.accounts TO socialsyncer_api;


--
-- Name: COLUMN accounts.inspection; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT(inspection) ON TABLE public.accounts TO socialsyncer_api;


--
-- Name: COLUMN accounts.removal_requested_at; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT(removal_requested_at),UPDATE(removal_requested_at) ON TABLE public.accounts TO socialsyncer_api;


--
-- Name: COLUMN accounts.removal_requested_by; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT(removal_requested_by),UPDATE(removal_requested_by) ON TABLE public.accounts TO socialsyncer_api;


--
-- Name: COLUMN accounts.removal_revokes; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT(removal_revokes),UPDATE(removal_revokes) ON TABLE public.accounts TO socialsyncer_api;


--
-- Name: TABLE api_keys; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.api_keys TO socialsyncer_api;


--
-- Name: COLUMN api_keys.last_used_at; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(last_used_at) ON TABLE public.api_keys TO socialsyncer_api;


--
-- Name: TABLE app_refusals; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.app_refusals TO socialsyncer_api;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.app_refusals TO socialsyncer_worker;


--
-- Name: TABLE app_setups; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.app_setups TO socialsyncer_api;
GRANT SELECT,INSERT,UPDATE ON TABLE public.app_setups TO socialsyncer_worker;


--
-- Name: TABLE attempts; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT ON TABLE public.attempts TO socialsyncer_api;
GRANT SELECT,INSERT,UPDATE ON TABLE public.attempts TO socialsyncer_worker;


--
-- Name: TABLE audit_events; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.audit_events TO socialsyncer_api;
GRANT SELECT,DELETE ON TABLE public.audit_events TO socialsyncer_worker;


--
-- Name: COLUMN audit_events.workspace_id; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(workspace_id) ON TABLE public.audit_events TO socialsyncer_api;
GRANT INSERT(workspace_id) ON TABLE public.audit_events TO socialsyncer_worker;


--
-- Name: COLUMN audit_events.post_id; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(post_id) ON TABLE public.audit_events TO socialsyncer_api;
GRANT INSERT(post_id) ON TABLE public.audit_events TO socialsyncer_worker;


--
-- Name: COLUMN audit_events.action; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(action) ON TABLE public.audit_events TO socialsyncer_api;
GRANT INSERT(action) ON TABLE public.audit_events TO socialsyncer_worker;


--
-- Name: COLUMN audit_events.actor_type; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(actor_type) ON TABLE public.audit_events TO socialsyncer_worker;


--
-- Name: COLUMN audit_events.actor_id; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(actor_id) ON TABLE public.audit_events TO socialsyncer_api;
GRANT INSERT(actor_id) ON TABLE public.audit_events TO socialsyncer_worker;


--
-- Name: COLUMN audit_events.platform; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(platform) ON TABLE public.audit_events TO socialsyncer_api;
GRANT INSERT(platform) ON TABLE public.audit_events TO socialsyncer_worker;


--
-- Name: COLUMN audit_events.account_id; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(account_id) ON TABLE public.audit_events TO socialsyncer_api;
GRANT INSERT(account_id) ON TABLE public.audit_events TO socialsyncer_worker;


--
-- Name: COLUMN audit_events.details; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(details) ON TABLE public.audit_events TO socialsyncer_api;
GRANT INSERT(details) ON TABLE public.audit_events TO socialsyncer_worker;


--
-- Name: TABLE choice_lists; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT ON TABLE public.choice_lists TO socialsyncer_api;
GRANT SELECT,DELETE ON TABLE public.choice_lists TO socialsyncer_worker;


--
-- Name: COLUMN choice_lists.result; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(result) ON TABLE public.choice_lists TO socialsyncer_worker;


--
-- Name: TABLE idempotency_keys; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,UPDATE ON TABLE public.idempotency_keys TO socialsyncer_api;
GRANT SELECT,DELETE,UPDATE ON TABLE public.idempotency_keys TO socialsyncer_worker;


--
-- Name: TABLE late_posts; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,UPDATE ON TABLE public.late_posts TO socialsyncer_api;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.late_posts TO socialsyncer_worker;


--
-- Name: TABLE media_checks; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT ON TABLE public.media_checks TO socialsyncer_api;
GRANT SELECT,DELETE,UPDATE ON TABLE public.media_checks TO socialsyncer_worker;


--
-- Name: TABLE media_files; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.media_files TO socialsyncer_api;
GRANT SELECT,INSERT,DELETE ON TABLE public.media_files TO socialsyncer_worker;


--
-- Name: TABLE pending_connections; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT ON TABLE public.pending_connections TO socialsyncer_api;
GRANT SELECT,DELETE,UPDATE ON TABLE public.pending_connections TO socialsyncer_worker;


--
-- Name: COLUMN pending_connections.browser_hash; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(browser_hash) ON TABLE public.pending_connections TO socialsyncer_api;


--
-- Name: COLUMN pending_connections.handover; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(handover) ON TABLE public.pending_connections TO socialsyncer_api;


--
-- Name: COLUMN pending_connections.handover_hash; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(handover_hash) ON TABLE public.pending_connections TO socialsyncer_api;


--
-- Name: COLUMN pending_connections.consumed_at; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(consumed_at) ON TABLE public.pending_connections TO socialsyncer_api;


--
-- Name: COLUMN pending_connections.selected_ids; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(selected_ids) ON TABLE public.pending_connections TO socialsyncer_api;


--
-- Name: COLUMN pending_connections.expires_at; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(expires_at) ON TABLE public.pending_connections TO socialsyncer_api;


--
-- Name: TABLE pending_revocations; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.pending_revocations TO socialsyncer_worker;


--
-- Name: TABLE post_tags; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.post_tags TO socialsyncer_api;


--
-- Name: TABLE posts; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE ON TABLE public.posts TO socialsyncer_api;
GRANT SELECT ON TABLE public.posts TO socialsyncer_worker;


--
-- Name: COLUMN posts.workflow_id; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(workflow_id) ON TABLE public.posts TO socialsyncer_worker;


--
-- Name: COLUMN posts.status; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(status) ON TABLE public.posts TO socialsyncer_api;
GRANT UPDATE(status) ON TABLE public.posts TO socialsyncer_worker;


--
-- Name: COLUMN posts.content; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(content) ON TABLE public.posts TO socialsyncer_api;
GRANT UPDATE(content) ON TABLE public.posts TO socialsyncer_worker;


--
-- Name: COLUMN posts.media_items; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(media_items) ON TABLE public.posts TO socialsyncer_api;
GRANT UPDATE(media_items) ON TABLE public.posts TO socialsyncer_worker;


--
-- Name: COLUMN posts.tags; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(tags) ON TABLE public.posts TO socialsyncer_api;
GRANT UPDATE(tags) ON TABLE public.posts TO socialsyncer_worker;


--
-- Name: COLUMN posts.timezone; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(timezone) ON TABLE public.posts TO socialsyncer_api;
GRANT UPDATE(timezone) ON TABLE public.posts TO socialsyncer_worker;


--
-- Name: COLUMN posts.scheduled_for; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(scheduled_for) ON TABLE public.posts TO socialsyncer_api;
GRANT UPDATE(scheduled_for) ON TABLE public.posts TO socialsyncer_worker;


--
-- Name: COLUMN posts.scheduled_wall; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(scheduled_wall) ON TABLE public.posts TO socialsyncer_api;
GRANT UPDATE(scheduled_wall) ON TABLE public.posts TO socialsyncer_worker;


--
-- Name: COLUMN posts.planned_for; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(planned_for) ON TABLE public.posts TO socialsyncer_api;
GRANT UPDATE(planned_for) ON TABLE public.posts TO socialsyncer_worker;


--
-- Name: COLUMN posts.external_id; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(external_id) ON TABLE public.posts TO socialsyncer_api;
GRANT UPDATE(external_id) ON TABLE public.posts TO socialsyncer_worker;


--
-- Name: COLUMN posts.external_digest; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(external_digest) ON TABLE public.posts TO socialsyncer_api;
GRANT UPDATE(external_digest) ON TABLE public.posts TO socialsyncer_worker;


--
-- Name: COLUMN posts.tiktok_settings; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(tiktok_settings) ON TABLE public.posts TO socialsyncer_api;
GRANT UPDATE(tiktok_settings) ON TABLE public.posts TO socialsyncer_worker;


--
-- Name: COLUMN posts.facebook_settings; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(facebook_settings) ON TABLE public.posts TO socialsyncer_api;
GRANT UPDATE(facebook_settings) ON TABLE public.posts TO socialsyncer_worker;


--
-- Name: COLUMN posts.due_at; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(due_at) ON TABLE public.posts TO socialsyncer_api;
GRANT UPDATE(due_at) ON TABLE public.posts TO socialsyncer_worker;


--
-- Name: COLUMN posts.answer_bytes; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(answer_bytes) ON TABLE public.posts TO socialsyncer_api;
GRANT UPDATE(answer_bytes) ON TABLE public.posts TO socialsyncer_worker;


--
-- Name: COLUMN posts.publish_within; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(publish_within) ON TABLE public.posts TO socialsyncer_api;
GRANT UPDATE(publish_within) ON TABLE public.posts TO socialsyncer_worker;


--
-- Name: COLUMN posts.version; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(version) ON TABLE public.posts TO socialsyncer_api;
GRANT UPDATE(version) ON TABLE public.posts TO socialsyncer_worker;


--
-- Name: COLUMN posts.delivered_version; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(delivered_version) ON TABLE public.posts TO socialsyncer_api;
GRANT UPDATE(delivered_version) ON TABLE public.posts TO socialsyncer_worker;


--
-- Name: COLUMN posts.next_delivery_at; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(next_delivery_at) ON TABLE public.posts TO socialsyncer_api;
GRANT UPDATE(next_delivery_at) ON TABLE public.posts TO socialsyncer_worker;


--
-- Name: COLUMN posts.delivery_attempts; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(delivery_attempts) ON TABLE public.posts TO socialsyncer_api;
GRANT UPDATE(delivery_attempts) ON TABLE public.posts TO socialsyncer_worker;


--
-- Name: COLUMN posts.published_at; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(published_at) ON TABLE public.posts TO socialsyncer_api;
GRANT UPDATE(published_at) ON TABLE public.posts TO socialsyncer_worker;


--
-- Name: COLUMN posts.updated_at; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(updated_at) ON TABLE public.posts TO socialsyncer_api;
GRANT UPDATE(updated_at) ON TABLE public.posts TO socialsyncer_worker;


--
-- Name: TABLE rate_limit_buckets; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,UPDATE ON TABLE public.rate_limit_buckets TO socialsyncer_worker;


--
-- Name: TABLE rate_limit_slots; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.rate_limit_slots TO socialsyncer_worker;


--
-- Name: TABLE restores; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.restores TO socialsyncer_api;
GRANT SELECT ON TABLE public.restores TO socialsyncer_worker;


--
-- Name: TABLE revisions; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT ON TABLE public.revisions TO socialsyncer_api;
GRANT SELECT,INSERT,UPDATE ON TABLE public.revisions TO socialsyncer_worker;


--
-- Name: TABLE schema_states; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.schema_states TO socialsyncer_api;
GRANT SELECT ON TABLE public.schema_states TO socialsyncer_worker;


--
-- Name: TABLE targets; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.targets TO socialsyncer_api;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.targets TO socialsyncer_worker;


--
-- Name: COLUMN workspaces.id; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT(id) ON TABLE public.workspaces TO socialsyncer_api;
GRANT SELECT(id) ON TABLE public.workspaces TO socialsyncer_worker;


--
-- Name: COLUMN workspaces.name; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT(name) ON TABLE public.workspaces TO socialsyncer_api;
GRANT SELECT(name) ON TABLE public.workspaces TO socialsyncer_worker;


--
-- Name: TABLE zone_checks; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,UPDATE ON TABLE public.zone_checks TO socialsyncer_api;
GRANT SELECT,INSERT,UPDATE ON TABLE public.zone_checks TO socialsyncer_worker;


--
-- PostgreSQL database dump complete
--


