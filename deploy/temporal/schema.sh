#!/bin/sh
# Brings the tables of Temporal's two databases up to date; harmless if they are. The databases exist already: see
# deploy/postgres/roles.sql. Host, user and password come from the environment: SQL_HOST, SQL_USER, SQL_PASSWORD.
set -eu

for pair in temporal:temporal temporal_visibility:visibility; do
  database=${pair%%:*}
  schema=${pair##*:}
  tool="temporal-sql-tool --plugin postgres12 --endpoint $SQL_HOST --port 5432 --user $SQL_USER --database $database"
  $tool setup-schema -v 0.0
  $tool update-schema -d "/etc/temporal/schema/postgresql/v12/$schema/versioned"
done
