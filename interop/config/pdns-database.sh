sqlite3 {{FOLDER}}/pdns.sqlite3 < /usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql
pdnsutil --config-dir={{FOLDER}} import-tsig-key {{KEY_NAME}} {{KEY_ALGORITHM}} '{{KEY_SECRET}}'
