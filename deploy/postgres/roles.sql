-- Creates the roles and databases that docker-compose.yml needs, once, when PostgreSQL's data directory is new.
-- The superuser runs it; no other part logs in as the superuser. Passwords come from the environment, not from a command line.

\getenv owner_password POSTGRES_OWNER_PASSWORD
\getenv temporal_password POSTGRES_TEMPORAL_PASSWORD

-- A statement that fails would be logged with its password.
SET log_statement = 'none';
SET log_min_error_statement = 'panic';
SET log_min_duration_statement = -1;

-- Owns the tables. `socialsyncer migrate` logs in as it and makes the roles of the api and of the worker.
CREATE ROLE socialsyncer LOGIN CREATEROLE PASSWORD :'owner_password';
CREATE DATABASE socialsyncer OWNER socialsyncer;

CREATE ROLE temporal LOGIN PASSWORD :'temporal_password';
CREATE DATABASE temporal OWNER temporal;
CREATE DATABASE temporal_visibility OWNER temporal;

-- By default every role may connect to every database.
REVOKE ALL ON DATABASE socialsyncer, temporal, temporal_visibility, postgres, template1 FROM PUBLIC;
