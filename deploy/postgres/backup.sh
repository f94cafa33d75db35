#!/bin/sh
# Copies databases into the folder of the first argument: docs/backup.md says what to do with the copies.
# PGHOST, PGPORT, PGSSLMODE and the other variables of libpq name the server, PGUSER and PGPASSWORD the owner of BACKUP_DATABASES.
# With TEMPORAL_PASSWORD, Temporal's databases on the same server are copied as the role TEMPORAL_USER, too.
# A copy is DATABASE-TIME.dump, with the time at which it began; a file that ends in .part is no copy.
set -eu
umask 077
folder=$1
time=$(date -u +%Y-%m-%dT%H-%M-%SZ)

copy() {
  file=$folder/$1-$time.dump
  # With owners and rights: without them, everybody could call functions that act with the owner's rights.
  pg_dump --format=custom --dbname="$1" --file="$file.part"
  pg_restore --list "$file.part" >/dev/null
  sync
  mv "$file.part" "$file"
  echo "$file"
}

for database in ${BACKUP_DATABASES:-socialsyncer}; do
  copy "$database"
done
if [ -n "${TEMPORAL_PASSWORD:-}" ]; then
  export PGUSER="${TEMPORAL_USER:-temporal}" PGPASSWORD="$TEMPORAL_PASSWORD"
  for database in ${TEMPORAL_DATABASES:-temporal temporal_visibility}; do
    copy "$database"
  done
fi
# Only after all copies are whole.
find "$folder" -maxdepth 1 \( -name '*.dump' -o -name '*.part' \) -mtime "+${BACKUP_KEEP_DAYS:-14}" -exec rm -f {} +
